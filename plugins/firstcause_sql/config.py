"""`[plugins.sql]`."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from firstcause import SecretUrl


@dataclass(frozen=True)
class ErrorCodes:
    """The catalog's errors of one kind of database."""

    unreachable: str
    auth_failed: str
    too_many_connections: str
    slow: str
    lag: str


@dataclass(frozen=True)
class DatabaseKind:
    """A kind of database. driver: the module that is needed; url: how SQLAlchemy calls the two."""

    component: str
    driver: str
    url_scheme: str
    install: str
    codes: ErrorCodes


_POSTGRES = DatabaseKind(
    "postgres",
    "psycopg",
    "postgresql+psycopg",
    "psycopg[binary]",
    ErrorCodes(
        "POSTGRES_UNREACHABLE",
        "POSTGRES_AUTH_FAILED",
        "POSTGRES_TOO_MANY_CONNECTIONS",
        "POSTGRES_SLOW",
        "POSTGRES_REPLICATION_LAG",
    ),
)
_MARIADB = DatabaseKind(
    "mariadb",
    "pymysql",
    # This dialect asks which of the two it is; the one called mariadb refuses MySQL.
    "mysql+pymysql",
    "firstcause[mysql]",
    ErrorCodes(
        "MARIADB_UNREACHABLE",
        "MARIADB_AUTH_FAILED",
        "MARIADB_TOO_MANY_CONNECTIONS",
        "MARIADB_SLOW",
        "MARIADB_REPLICATION_LAG",
    ),
)
_SQLITE = DatabaseKind(
    "sqlite",
    "sqlite3",
    "sqlite",
    "Python with sqlite3",
    ErrorCodes("SQLITE_UNREADABLE", "SQLITE_UNREADABLE", "SQLITE_LOCKED", "SQLITE_LOCKED", "SQLITE_LOCKED"),
)
_KINDS_BY_SCHEME = {
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "mariadb": _MARIADB,
    "mysql": _MARIADB,
    "sqlite": _SQLITE,
}


class Database(BaseModel):
    """One database by its URL. Beyond its limits it is DEGRADED; everything else is only measured.

    degraded_ms: of the smallest query on a connection that stands. connections_share: of those allowed.
    long_query_s: from when on a query is long; long_queries: so many of them are too many.
    replication_lag_s: of the slowest replica, or its own. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretUrl
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
    def _check_scheme(cls, url: SecretStr) -> SecretStr:
        scheme = _parse_scheme(url)
        if scheme not in _KINDS_BY_SCHEME:
            raise ValueError(
                f"{scheme!r} is not a known kind of database; there are {', '.join(_KINDS_BY_SCHEME)}"
            )
        return url

    @property
    def kind(self) -> DatabaseKind:
        return _KINDS_BY_SCHEME[_parse_scheme(self.url)]

    @property
    def sqlalchemy_url(self) -> str:
        """The URL with our driver, whatever driver the application uses."""
        return f"{self.kind.url_scheme}:{self.url.get_secret_value().partition(':')[2]}"


def _parse_scheme(url: SecretStr) -> str:
    return url.get_secret_value().partition(":")[0].partition("+")[0].lower()


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    databases: dict[str, Database] = Field(default_factory=dict)
