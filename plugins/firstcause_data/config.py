"""`[plugins.data]`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

_SQL = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mariadb+pymysql",
    "sqlite": "sqlite",
}
"""What a URL begins with, and how SQLAlchemy calls that with the driver that we use."""

_MONGO = {"mongodb", "mongodb+srv"}


class Count(BaseModel):
    """What to count. In SQL by `query`, which gives one number; in MongoDB in `collection`, with `filter`.

    least: fewer are an error of that code. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretStr
    query: str | None = None
    collection: str | None = None
    filter: dict[str, Any] = Field(default_factory=dict)
    component: str = "companies"
    least: int = Field(default=1, ge=0)
    code: str = "COMPANY_DATABASE_EMPTY"
    interval: float = Field(default=300.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)

    @model_validator(mode="after")
    def _complete(self) -> Count:
        if self.mongo and not self.collection:
            raise ValueError("give the collection to count in")
        if not self.mongo and not self.query:
            raise ValueError("give a query that answers with one number, like SELECT count(*) FROM company")
        if not self.mongo and self._scheme.partition("+")[0] not in _SQL:
            raise ValueError(f"{self._scheme!r} is no kind of database that is known here")
        return self

    @property
    def _scheme(self) -> str:
        return self.url.get_secret_value().partition(":")[0].lower()

    @property
    def mongo(self) -> bool:
        return self._scheme in _MONGO

    @property
    def address(self) -> str:
        """The URL with our driver, whatever driver the application uses."""
        return f"{_SQL[self._scheme.partition('+')[0]]}:{self.url.get_secret_value().partition(':')[2]}"


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    counts: dict[str, Count] = Field(default_factory=dict)
