"""Databases on the tests' Postgres server: one for a single test, or one that is emptied and used again."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from firstcause.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISCONNECT_TIMEOUT_S = 60.0
_MAX_REUSED_BYTES = 30 << 20

# Whatever a test may have changed about the schema or the database itself.
_FINGERPRINT = """
SELECT md5(string_agg(part, E'\\n' ORDER BY part)) FROM (
    SELECT concat_ws(' ', relname, relkind, relacl, relowner, attname, attacl, attnotnull, atthasdef,
                     attidentity, format_type(atttypid, atttypmod)) AS part
    FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relkind <> 't'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || conname || pg_get_constraintdef(oid) FROM pg_constraint
              WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat(tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid
              WHERE datname = current_database()
    UNION ALL SELECT 'version ' || version_num FROM alembic_version
) AS parts
"""

_DELETE_ROWS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    PERFORM setval(oid::regclass, 1, false) FROM pg_class
        WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""


@contextlib.contextmanager
def create_postgres_database(server: str) -> Iterator[str]:
    """A database of its own on the server, dropped afterwards."""
    url = _create_database(server)
    try:
        yield url
    finally:
        _drop_database(server, url)


class PostgresStores:
    """Lends databases that have our schema and no rows.

    To create, migrate and drop one for each test costs most of a short test's time. A database is not used
    again after a test that changed its schema, or that made its files large.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._free: list[str] = []
        self._fingerprint: str | None = None

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        url = self._free.pop() if self._free else self._create()
        try:
            yield url
        finally:
            _end_connections(self._server, url)
            if self._has_emptied(url):
                self._free.append(url)
            else:
                _drop_database(self._server, url)

    def close(self) -> None:
        while self._free:
            _drop_database(self._server, self._free.pop())

    def _create(self) -> str:
        url = _create_database(self._server)
        try:
            with contextlib.closing(Database(url)) as database:
                database.prepare()
            if self._fingerprint is None:
                with psycopg.connect(url) as conn:
                    self._fingerprint = _read_fingerprint(conn)
        except BaseException:
            _drop_database(self._server, url)
            raise
        return url

    def _has_emptied(self, url: str) -> bool:
        try:
            # Rows go whatever refers to them, and nobody needs to wait for the disk.
            with psycopg.connect(
                url, options="-c session_replication_role=replica -c synchronous_commit=off"
            ) as conn:
                if _read_fingerprint(conn) != self._fingerprint or _read_size(conn) > _MAX_REUSED_BYTES:
                    return False
                conn.execute(_DELETE_ROWS)
        except psycopg.Error:
            return False
        return True


def _read_fingerprint(conn: psycopg.Connection) -> str | None:
    row = conn.execute(_FINGERPRINT).fetchone()
    return row[0] if row else None


def _read_size(conn: psycopg.Connection) -> int:
    row = conn.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def _get_name(url: str) -> str:
    return url.rpartition("/")[2]


def _create_database(server: str) -> str:
    name = f"firstcause_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{server.rpartition('/')[0]}/{name}"


def _drop_database(server: str, url: str) -> None:
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_get_name(url)))
        )


def _end_connections(server: str, url: str) -> None:
    """End all sessions in a database, such as those of a killed daemon, and wait until they are gone."""
    deadline = time.monotonic() + _DISCONNECT_TIMEOUT_S
    with psycopg.connect(server, autocommit=True) as conn:
        while conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_get_name(url)]
        ).fetchall():
            assert time.monotonic() < deadline, f"sessions in {url} do not end"
            time.sleep(0.005)
