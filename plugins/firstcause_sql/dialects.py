"""What each kind of database tells of itself. What an account may not see is left out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from firstcause import Findings
    from firstcause_sql.config import Database

_FORBIDDEN = (sa.exc.ProgrammingError, sa.exc.OperationalError, sa.exc.InternalError)

_POSTGRES_CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS most
"""
_POSTGRES_LONG = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND clock_timestamp() - query_start > make_interval(secs => :long)
"""
_POSTGRES_LAG = """
SELECT CASE WHEN pg_is_in_recovery()
    THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    ELSE (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication) END
"""
_MARIADB_LONG = """
SELECT count(*) FROM information_schema.processlist
WHERE command = 'Query' AND time > :long AND id <> connection_id()
"""


def limits(url: str, seconds: float) -> dict[str, Any]:
    """What makes the driver give up after so many seconds."""
    whole = max(1, round(seconds))
    if url.startswith("postgresql"):
        return {
            "connect_timeout": whole,
            "application_name": "firstcause",
            "options": f"-c statement_timeout={round(seconds * 1000)}",
        }
    if url.startswith("mariadb"):
        return {"connect_timeout": whole, "read_timeout": whole, "write_timeout": whole}
    return {"timeout": seconds}


def postgres(conn: sa.Connection, found: Findings, database: Database) -> None:
    used, most = conn.execute(sa.text(_POSTGRES_CONNECTIONS)).one()
    _connections(found, database, used, most)
    _long(found, database, _one(conn, _POSTGRES_LONG, long=database.long_query_s))
    with suppress(*_FORBIDDEN):
        _lag(found, database, _one(conn, _POSTGRES_LAG))
    found.measure("database_bytes", _one(conn, "SELECT pg_database_size(current_database())"))
    found.measure("version", _one(conn, "SHOW server_version"))
    replica = _one(conn, "SELECT pg_is_in_recovery()")
    if not replica and _one(conn, "SHOW default_transaction_read_only") == "on":
        found.degraded("it takes no writes: default_transaction_read_only is on", "POSTGRES_READ_ONLY")


def mariadb(conn: sa.Connection, found: Findings, database: Database) -> None:
    used = _named(conn, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    most = _named(conn, "SHOW GLOBAL VARIABLES LIKE 'max_connections'")
    if used is not None and most is not None:
        _connections(found, database, int(used), int(most))
    _long(found, database, _one(conn, _MARIADB_LONG, long=database.long_query_s))
    found.measure("version", _one(conn, "SELECT version()"))
    with suppress(*_FORBIDDEN):
        for row in conn.execute(sa.text("SHOW SLAVE STATUS")).mappings():
            if row["Slave_IO_Running"] != "Yes" or row["Slave_SQL_Running"] != "Yes":
                found.degraded("the replication has stopped", database.kind.codes.lag)
            _lag(found, database, row["Seconds_Behind_Master"])


def sqlite(conn: sa.Connection, found: Findings, _database: Database) -> None:
    # Reads the schema, which fails where the file is none of SQLite's or another writes to it.
    _one(conn, "SELECT count(*) FROM sqlite_master")
    found.measure("database_bytes", _one(conn, "PRAGMA page_count") * _one(conn, "PRAGMA page_size"))
    found.measure("version", _one(conn, "SELECT sqlite_version()"))


def _one(conn: sa.Connection, question: str, **values: object) -> Any:
    """The one value that a question is answered with."""
    return conn.execute(sa.text(question), values).scalar()


def _named(conn: sa.Connection, question: str) -> str | None:
    row = conn.execute(sa.text(question)).first()
    return str(row[1]) if row is not None else None


def _connections(found: Findings, database: Database, used: int, most: int) -> None:
    found.measure("connections_used", used)
    if most > 0:
        limit, code = database.connections_share, database.kind.codes.connections
        found.measure("connections_share", used / most, most=limit, code=code)


def _long(found: Findings, database: Database, number: int) -> None:
    found.measure("long_queries", number, most=database.long_queries, code=database.kind.codes.slow)


def _lag(found: Findings, database: Database, seconds: object) -> None:
    if seconds is not None:
        limit, code = database.replication_lag_s, database.kind.codes.lag
        found.measure("replication_lag_s", float(str(seconds)), most=limit, code=code)
