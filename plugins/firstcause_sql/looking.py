"""Looks at one database. The connection is kept from one check to the next, and dropped with any error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause import Findings, Reading
from firstcause_sql import dialects

if TYPE_CHECKING:
    from firstcause_sql.config import Database

_REFUSED = (
    "password authentication failed",
    "access denied",
    "no pg_hba.conf entry",
    "no password supplied",
    "role",
    "permission denied",
)
_FULL = ("too many connections", "too many clients", "remaining connection slots")
_LOCKED = ("database is locked", "database table is locked")

Asking = Callable[[sa.Connection, Findings, "Database"], None]
_ASKING: dict[str, Asking] = {
    "postgresql": dialects.postgres,
    "mariadb": dialects.mariadb,
    "mysql": dialects.mariadb,
    "sqlite": dialects.sqlite,
}


class Looking:
    """One database and the connection to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine: sa.Engine | None = None

    def look(self) -> Reading:
        found = Findings()
        try:
            self._asked(found)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            self.close()
            found.down(*self._why(error))
        return found.reading("answers")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None

    def _asked(self, found: Findings) -> None:
        database = self._database
        if self._engine is None:
            self._engine = sa.create_engine(
                database.address,
                pool_size=1,
                max_overflow=0,
                isolation_level="AUTOCOMMIT",
                connect_args=dialects.limits(database.kind.url, database.timeout),
            )
            self._engine.connect().close()
            found.restart()
        with self._engine.connect() as conn:
            conn.execute(sa.text("SELECT 1"))
            found.answered(database.degraded_ms, database.kind.codes.slow)
            _ASKING[self._engine.dialect.name](conn, found, database)

    def _why(self, error: Exception) -> tuple[str, str]:
        """What to tell a person, and the error's code. Drivers' texts hold no password; the URL would."""
        own: Any = getattr(error, "orig", None) or error
        said = " ".join(str(own.args[-1] if own.args else own).split())[:300]
        codes, words = self._database.kind.codes, said.lower()
        if any(each in words for each in _FULL):
            return said, codes.connections
        if any(each in words for each in _LOCKED):
            return said, codes.slow
        if any(each in words for each in _REFUSED):
            return said, codes.refused
        return said or type(error).__name__, codes.unreachable
