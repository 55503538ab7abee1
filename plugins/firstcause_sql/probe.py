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
    # The server asks for a way to log in that the driver does not have, or lacks a library for.
    "authentication plugin",
    "package is required for",
)
_CONNECTION_LIMIT_PHRASES = (
    "too many connections",
    "too many clients",
    "remaining connection slots",
    "no more connections allowed",
)
_LOCKED_PHRASES = ("database is locked", "database table is locked")

_QUOTED_PATTERN = re.compile(r""" ?("[^"]*"|'[^']*')""")

# PyMySQL raises RuntimeError where a login needs a library that is not installed.
_CHECK_ERRORS = (sa.exc.SQLAlchemyError, MalformedUrlError, OSError, RuntimeError)

DialectCheck = Callable[[sa.Connection, Findings, "Database"], None]
_DIALECT_CHECKS: dict[str, DialectCheck] = {
    "postgresql": dialects.check_postgres,
    "mysql": dialects.check_mariadb,
    "sqlite": dialects.check_sqlite,
}


class SqlProbe:
    """One database and the connection to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine: sa.Engine | None = None
        self._server_start: str | None = None

    def check(self) -> Reading:
        # A connection that was kept may have ended since the last look; only a new one is proof.
        attempts = 1 if self._engine is None else 2
        for attempt in range(1, attempts + 1):
            findings = Findings()
            try:
                self._run_checks(findings)
            except _CHECK_ERRORS as error:
                self.close()
                if attempt == attempts or _is_timeout(error):
                    findings.down(*self._classify_error(error))
                    # That it was away is said; that it started again is then nothing more to say.
                    self._server_start = None
                    break
            else:
                break
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
            if self._engine.dialect.name == "postgresql":
                self._note_restart(findings, dialects.read_postgres_start(conn))

    def _note_restart(self, findings: Findings, server_start: str) -> None:
        previous, self._server_start = self._server_start, server_start
        if previous is not None and previous != server_start:
            findings.degraded(f"the server was restarted; it runs since {server_start}", "POSTGRES_RESTARTED")

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


def _is_timeout(error: BaseException) -> bool:
    """Whether no answer came in time; a second attempt would take as long again."""
    cause = getattr(error, "orig", None) or error
    return (
        isinstance(cause, TimeoutError) or "time" in type(cause).__name__.lower() or "timed out" in str(cause)
    )
