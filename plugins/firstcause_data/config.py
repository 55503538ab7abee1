"""`[plugins.data]`."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firstcause import SecretUrl

_SQLALCHEMY_SCHEMES = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mariadb+pymysql",
    "sqlite": "sqlite",
}
"""What a URL begins with, and how SQLAlchemy calls that with the driver that we use."""

_MONGO_SCHEMES = {"mongodb", "mongodb+srv"}


class Count(BaseModel):
    """What to count. In SQL by `query`, which gives one number; in MongoDB in `collection`, with `filter`.

    minimum: fewer are an error of that code. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    renamed_keys: ClassVar[dict[str, str]] = {"least": "minimum"}

    url: SecretUrl
    query: str | None = None
    collection: str | None = None
    filter: dict[str, Any] = Field(default_factory=dict)
    component: str = "companies"
    minimum: int = Field(default=1, ge=0)
    code: str = "COMPANY_DATABASE_EMPTY"
    interval: float = Field(default=300.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)

    @model_validator(mode="after")
    def _check_complete(self) -> Count:
        if self.is_mongo and not self.collection:
            raise ValueError("give the collection to count in")
        if not self.is_mongo and not self.query:
            raise ValueError("give a query that answers with one number, like SELECT count(*) FROM company")
        if not self.is_mongo and self._url_scheme.partition("+")[0] not in _SQLALCHEMY_SCHEMES:
            raise ValueError(f"{self._url_scheme!r} is not a known kind of database")
        return self

    @property
    def _url_scheme(self) -> str:
        return self.url.get_secret_value().partition(":")[0].lower()

    @property
    def is_mongo(self) -> bool:
        return self._url_scheme in _MONGO_SCHEMES

    @property
    def is_sqlite(self) -> bool:
        return self._url_scheme.partition("+")[0] == "sqlite"

    @property
    def sqlalchemy_url(self) -> str:
        """The URL with our driver, whatever driver the application uses."""
        scheme = _SQLALCHEMY_SCHEMES[self._url_scheme.partition("+")[0]]
        return f"{scheme}:{self.url.get_secret_value().partition(':')[2]}"


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    counts: dict[str, Count] = Field(default_factory=dict)
