"""Looks at one database. The connection is kept from one check to the next, and dropped with any error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause import Findings, Reading
from firstcause_sql import dialects
from firstcause_sql.connecting import MalformedUrlError, build_engine

if TYPE_CHECKING:
    from firstcause_sql.config import Database

_AUTH_PHRASES = (
    "password authentication failed",
    "access denied",
    "no pg_hba.conf entry",
    "no password supplied",
    "role does not exist",
    "role is not permitted to log in",
    "permission denied",
)
_CONNECTION_LIMIT_PHRASES = ("too many connections", "too many clients", "remaining connection slots")
_LOCKED_PHRASES = ("database is locked", "database table is locked")

_QUOTED_PATTERN = re.compile(r""" ?("[^"]*"|'[^']*')""")

DialectCheck = Callable[[sa.Connection, Findings, "Database"], None]
_DIALECT_CHECKS: dict[str, DialectCheck] = {
    "postgresql": dialects.check_postgres,
    "mariadb": dialects.check_mariadb,
    "mysql": dialects.check_mariadb,
    "sqlite": dialects.check_sqlite,
}


class SqlProbe:
    """One database and the connection to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine: sa.Engine | None = None

    def check(self) -> Reading:
        findings = Findings()
        try:
            self._run_checks(findings)
        except (sa.exc.SQLAlchemyError, MalformedUrlError, OSError) as error:
            self.close()
            findings.down(*self._classify_error(error))
        return findings.reading("answers")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None

    def _run_checks(self, findings: Findings) -> None:
        database = self._database
        if self._engine is None:
            self._engine = build_engine(database)
            self._engine.connect().close()
            findings.restart()
        with self._engine.connect() as conn:
            conn.execute(sa.text("SELECT 1"))
            findings.record_latency(database.degraded_ms, database.kind.codes.slow)
            _DIALECT_CHECKS[self._engine.dialect.name](conn, findings, database)

    def _classify_error(self, error: Exception) -> tuple[str, str]:
        """Return message and code of an error. Drivers' texts hold no password; the URL would."""
        cause: Any = getattr(error, "orig", None) or error
        message = " ".join(str(cause.args[-1] if cause.args else cause).split())[:300]
        # Without the names in quotes: a host may be called "role-db", or a database "access denied".
        codes, lowered = self._database.kind.codes, _QUOTED_PATTERN.sub("", message.lower())
        if any(phrase in lowered for phrase in _CONNECTION_LIMIT_PHRASES):
            return message, codes.too_many_connections
        if any(phrase in lowered for phrase in _LOCKED_PHRASES):
            return message, codes.slow
        if any(phrase in lowered for phrase in _AUTH_PHRASES):
            return message, codes.auth_failed
        return message or type(error).__name__, codes.unreachable
