"""Connects to a database server: whichever of a host's addresses answers first is used.

The drivers try one address after the other, each for the whole timeout.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause import MALFORMED_URL, open_socket
from firstcause_sql import dialects

if TYPE_CHECKING:
    from firstcause_sql.config import Database

_POSTGRES_PORT = 5432


class MalformedUrlError(Exception):
    """The URL cannot be read. The library's words are left out: they may hold a part of the password."""


def build_engine(database: Database) -> sa.Engine:
    try:
        engine = sa.create_engine(
            database.sqlalchemy_url,
            pool_size=1,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            connect_args=dialects.build_connect_args(database.kind.url_scheme, database.timeout),
        )
    except (sa.exc.ArgumentError, ValueError):
        raise MalformedUrlError(MALFORMED_URL) from None

    def set_limits(connection: Any, _record: object) -> None:
        if database.kind.driver == "psycopg":
            _set_postgres_limits(connection, database.timeout)

    def connect(dialect: sa.Dialect, _record: object, _arguments: object, parameters: dict[str, Any]) -> Any:
        if dialect.name == "postgresql":
            return _connect_postgres(dialect.loaded_dbapi, parameters, database.timeout)
        if dialect.name in {"mysql", "mariadb"}:
            return _connect_mariadb(dialect.loaded_dbapi, parameters, database.timeout)
        return None

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "connect", set_limits)
    return engine


def _connect_postgres(psycopg: Any, parameters: dict[str, Any], timeout: float) -> Any:
    """None, for SQLAlchemy to connect, where there is not one host: a Unix socket, or several hosts."""
    host = str(parameters.get("host") or "")
    if not host or "/" in host or "," in host or "hostaddr" in parameters:
        return None
    try:
        with open_socket(host, int(parameters.get("port") or _POSTGRES_PORT), timeout) as reached:
            address = reached.getpeername()[0]
    except TimeoutError:
        raise
    except OSError:
        return None  # it fails at once, and the driver says why
    return psycopg.connect(**parameters, hostaddr=address)


def _set_postgres_limits(connection: Any, timeout: float) -> None:
    """Limit the time of each statement. PgBouncer refuses a connection that asks for that as it begins."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        if cursor.fetchone()[0] == connection.info.backend_pid:
            cursor.execute(f"SET statement_timeout = {round(timeout * 1000)}")
        else:
            # A pooler's session is others' too: what is set or prepared in it would be theirs.
            connection.prepare_threshold = None
    connection.commit()


def _connect_mariadb(pymysql: Any, parameters: dict[str, Any], timeout: float) -> Any:
    connection = pymysql.connect(**parameters, defer_connect=True)
    if connection.unix_socket:
        connection.connect()
        return connection
    try:
        reached = open_socket(connection.host, connection.port, timeout)
    except TimeoutError:
        raise
    except OSError:
        connection.connect()  # it fails at once, and the driver says why
        return connection
    connection.connect(reached)
    return connection
