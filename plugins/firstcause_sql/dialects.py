"""The measurements of each kind of database. What the account may not see is left out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause import Findings
    from firstcause_sql.config import Database

_ACCESS_ERRORS = (sa.exc.ProgrammingError, sa.exc.OperationalError, sa.exc.InternalError)

_POSTGRES_CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS most
"""
_POSTGRES_LONG_QUERIES = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND clock_timestamp() - query_start > make_interval(secs => :long)
"""
# A standby that has replayed all that it received is up to date, even if an idle primary sends nothing for
# hours. Without a receiver it may have missed something: the time since its last transaction counts then.
_POSTGRES_LAG = """
SELECT CASE
    WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
        AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
    WHEN pg_is_in_recovery()
        THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    ELSE (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication) END
"""
_MARIADB_LONG_QUERIES = """
SELECT count(*) FROM information_schema.processlist
WHERE command = 'Query' AND time > :long AND id <> connection_id()
"""


def build_connect_args(url: str, seconds: float) -> dict[str, Any]:
    """What makes the driver give up after so many seconds."""
    whole_seconds = max(1, round(seconds))
    if url.startswith("postgresql"):
        return {
            "connect_timeout": whole_seconds,
            "application_name": "firstcause",
            # So that a connection that a firewall has dropped ends, and does not hang for hours.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
    if url.startswith("mysql"):
        return {
            "connect_timeout": whole_seconds,
            "read_timeout": whole_seconds,
            "write_timeout": whole_seconds,
        }
    return {"timeout": seconds}


def check_postgres(conn: sa.Connection, findings: Findings, database: Database) -> None:
    used, maximum = conn.execute(sa.text(_POSTGRES_CONNECTIONS)).one()
    _measure_connections(findings, database, used, maximum)
    _measure_long_queries(
        findings, database, _query_scalar(conn, _POSTGRES_LONG_QUERIES, long=database.long_query_s)
    )
    with suppress(*_ACCESS_ERRORS):
        _measure_lag(findings, database, _query_scalar(conn, _POSTGRES_LAG))
    findings.measure("database_bytes", _query_scalar(conn, "SELECT pg_database_size(current_database())"))
    findings.measure("version", _query_scalar(conn, "SHOW server_version"))
    replica = _query_scalar(conn, "SELECT pg_is_in_recovery()")
    if not replica and _query_scalar(conn, "SHOW default_transaction_read_only") == "on":
        findings.degraded("it takes no writes: default_transaction_read_only is on", "POSTGRES_READ_ONLY")


def check_mariadb(conn: sa.Connection, findings: Findings, database: Database) -> None:
    used = _query_named_value(conn, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    maximum = _query_named_value(conn, "SHOW GLOBAL VARIABLES LIKE 'max_connections'")
    if used is not None and maximum is not None:
        _measure_connections(findings, database, int(used), int(maximum))
    _measure_long_queries(
        findings, database, _query_scalar(conn, _MARIADB_LONG_QUERIES, long=database.long_query_s)
    )
    findings.measure("version", _query_scalar(conn, "SELECT version()"))
    for row in _list_replicas(conn):
        if not all(_select_column(row, f"{{}}_{thread}_Running") == "Yes" for thread in ("IO", "SQL")):
            findings.degraded("the replication has stopped", database.kind.codes.lag)
        lag = row.get("Seconds_Behind_Source", row.get("Seconds_Behind_Master"))
        _measure_lag(findings, database, lag)


def _list_replicas(conn: sa.Connection) -> list[dict[str, Any]]:
    """List what this server replicates. MySQL 8.4 no longer knows the old words, old servers not the new."""
    for statement in ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        with suppress(*_ACCESS_ERRORS):
            return [dict(row) for row in conn.execute(sa.text(statement)).mappings()]
    return []


def _select_column(row: Mapping[str, Any], name: str) -> object:
    return row.get(name.format("Replica"), row.get(name.format("Slave")))


def read_postgres_start(conn: sa.Connection) -> str:
    """Read when the server began; behind a pooler, the server that answers now."""
    return str(_query_scalar(conn, "SELECT pg_postmaster_start_time()"))


def check_sqlite(conn: sa.Connection, findings: Findings, _database: Database) -> None:
    # Reads the schema, which fails where the file is none of SQLite's or another writes to it.
    _query_scalar(conn, "SELECT count(*) FROM sqlite_master")
    findings.measure(
        "database_bytes", _query_scalar(conn, "PRAGMA page_count") * _query_scalar(conn, "PRAGMA page_size")
    )
    findings.measure("version", _query_scalar(conn, "SELECT sqlite_version()"))


def _query_scalar(conn: sa.Connection, statement: str, **values: object) -> Any:
    """The one value that a question is answered with."""
    return conn.execute(sa.text(statement), values).scalar()


def _query_named_value(conn: sa.Connection, statement: str) -> str | None:
    row = conn.execute(sa.text(statement)).first()
    return str(row[1]) if row is not None else None


def _measure_connections(findings: Findings, database: Database, used: int, maximum: int) -> None:
    findings.measure("connections_used", used)
    if maximum > 0:
        limit, code = database.connections_share, database.kind.codes.too_many_connections
        findings.measure("connections_share", used / maximum, maximum=limit, code=code)


def _measure_long_queries(findings: Findings, database: Database, count: int) -> None:
    findings.measure("long_queries", count, maximum=database.long_queries, code=database.kind.codes.slow)


def _measure_lag(findings: Findings, database: Database, seconds: object) -> None:
    if seconds is not None:
        limit, code = database.replication_lag_s, database.kind.codes.lag
        findings.measure("replication_lag_s", float(str(seconds)), maximum=limit, code=code)
