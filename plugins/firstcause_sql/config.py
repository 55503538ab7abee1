"""`[plugins.sql]`."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


@dataclass(frozen=True)
class Codes:
    """The catalog's errors of one kind of database."""

    unreachable: str
    refused: str
    connections: str
    slow: str
    lag: str


@dataclass(frozen=True)
class Kind:
    """A kind of database. driver: the module that is needed; url: how SQLAlchemy calls the two."""

    component: str
    driver: str
    url: str
    install: str
    codes: Codes


_POSTGRES = Kind(
    "postgres",
    "psycopg",
    "postgresql+psycopg",
    "psycopg[binary]",
    Codes(
        "POSTGRES_UNREACHABLE",
        "POSTGRES_AUTH_FAILED",
        "POSTGRES_TOO_MANY_CONNECTIONS",
        "POSTGRES_SLOW",
        "POSTGRES_REPLICATION_LAG",
    ),
)
_MARIADB = Kind(
    "mariadb",
    "pymysql",
    "mariadb+pymysql",
    "firstcause[mysql]",
    Codes(
        "MARIADB_UNREACHABLE",
        "MARIADB_AUTH_FAILED",
        "MARIADB_TOO_MANY_CONNECTIONS",
        "MARIADB_SLOW",
        "MARIADB_REPLICATION_LAG",
    ),
)
_SQLITE = Kind(
    "sqlite",
    "sqlite3",
    "sqlite",
    "Python with sqlite3",
    Codes("SQLITE_UNREADABLE", "SQLITE_UNREADABLE", "SQLITE_LOCKED", "SQLITE_LOCKED", "SQLITE_LOCKED"),
)
_KINDS = {
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "mariadb": _MARIADB,
    "mysql": _MARIADB,
    "sqlite": _SQLITE,
}


class Database(BaseModel):
    """One database by its URL. Beyond what follows it is DEGRADED, everything else is measured only.

    degraded_ms: of the smallest query on a connection that stands. connections_share: of those allowed.
    long_query_s: from when on a query is long; long_queries: so many of them are too many.
    replication_lag_s: of the slowest replica, or its own. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretStr
    component: str | None = None
    degraded_ms: float = Field(default=250.0, gt=0)
    connections_share: float = Field(default=0.85, gt=0)
    long_query_s: float = Field(default=60.0, gt=0)
    long_queries: int = Field(default=0, ge=0)
    replication_lag_s: float = Field(default=30.0, ge=0)
    interval: float = Field(default=30.0, ge=1)
    timeout: float = Field(default=5.0, gt=0, le=120)

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        scheme = _scheme(url)
        if scheme not in _KINDS:
            raise ValueError(
                f"{scheme!r} is no kind of database that is known; there are {', '.join(_KINDS)}"
            )
        return url

    @property
    def kind(self) -> Kind:
        return _KINDS[_scheme(self.url)]

    @property
    def address(self) -> str:
        """The URL with our driver, whatever driver the application uses."""
        return f"{self.kind.url}:{self.url.get_secret_value().partition(':')[2]}"


def _scheme(url: SecretStr) -> str:
    return url.get_secret_value().partition(":")[0].partition("+")[0].lower()


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    databases: dict[str, Database] = Field(default_factory=dict)
