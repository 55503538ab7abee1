"""The connection to the database, and its schema's version."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections import deque
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
    SQLAlchemyError,
)

from firstcause.errors import StoreError
from firstcause.resources import shipped_path
from firstcause.store import tables
from firstcause.store.inbox import MAX_PAYLOAD_EVENTS, TableInbox, insert_pending
from firstcause.store.inbox_journal import JournalInbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from firstcause.store.inbox import Inbox

HEAD = "0012"
"""The schema's version that this program needs; a test holds it to the newest migration."""

# One number for all of firstcause: Postgres' advisory locks are named by numbers.
_WRITER_LOCK = 0x66697273
_DAEMON_LOCK = 0x66697274

JOURNAL_SUFFIX = "-accepted"
_OLD_INBOX_SUFFIX = "-inbox"

_CONNECT_TIMEOUT_S = 10
"""Seconds after which a Postgres that says nothing is taken to be away; the url may give its own."""

_WAL_PAGES = 8192
"""Pages of 4 KiB after which SQLite's write-ahead log is carried over into its file."""

_WAL_RETRY_DELAYS_S = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Seconds between the tries to switch a new SQLite file to its write-ahead log."""


class FairLock:
    """A lock that is handed on in the order in which it was asked for.

    threading.Lock goes to whoever is quickest, and who works off a storm would always be.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locked = False
        self._waiters: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._mutex:
            if not self._locked:
                self._locked = True
                return
            waiter = threading.Lock()
            waiter.acquire()
            self._waiters.append(waiter)
        waiter.acquire()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._locked = False


class Database:
    """One database. Writers take turns, so that two can never open two incidents for one cause.

    inbox: where accepted events wait.
    """

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.engine = _create_engine(self.url)
        self._write_lock = FairLock()
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.inbox = self._create_inbox()

    def _create_inbox(self) -> Inbox:
        table_inbox = TableInbox(partial(self.write, exclusive=False))
        if not self.is_sqlite or _is_in_memory(self.engine.url):
            return table_inbox
        return JournalInbox(Path(f"{self.engine.url.database}{JOURNAL_SUFFIX}"), table_inbox)

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[sa.Connection]:
        """A transaction, committed at the end. exclusive: keeps other firstcause processes out as well."""
        with (
            self._write_lock if self.is_sqlite else _no_lock(),
            _translate_db_errors(self.engine.url),
            self.engine.begin() as conn,
        ):
            if exclusive and not self.is_sqlite:
                # A statement of its own: what later ones read must be newer than the lock.
                conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
            yield conn

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that may not write: on SQLite it would fail whenever another one writes."""
        with _translate_db_errors(self.engine.url), self.engine.connect() as conn:
            conn.execution_options(firstcause_read=True)
            if not self.is_sqlite:
                conn.execution_options(postgresql_readonly=True)
            yield conn

    @contextmanager
    def hold_daemon_lock(self) -> Iterator[None]:
        """Held by the daemon for as long as it runs; StoreError where another one holds it."""
        with self._hold_sqlite_lock() if self.is_sqlite else self._hold_postgres_lock():
            yield

    @contextmanager
    def _hold_sqlite_lock(self) -> Iterator[None]:
        if _is_in_memory(self.engine.url):
            yield
            return
        path = Path(f"{self.engine.url.database}.lock")
        try:
            file = path.open("w")
        except OSError as error:
            msg = f"{path} cannot be written: {error.strerror}; {_format_connection_hint(self.engine.url)}"
            raise StoreError(msg) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(self._format_already_running()) from error
            yield

    @contextmanager
    def _hold_postgres_lock(self) -> Iterator[None]:
        # A connection of its own, outside any transaction: the server frees the lock when it is gone.
        with _translate_db_errors(self.engine.url), self.engine.connect() as plain:
            conn = plain.execution_options(isolation_level="AUTOCOMMIT")
            acquired = conn.execute(
                sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _DAEMON_LOCK}
            ).scalar()
            if not acquired:
                raise StoreError(self._format_already_running())
            try:
                yield
            finally:
                # Closed, not put back: the lock goes with it, also where the server was away meanwhile.
                conn.invalidate()

    def _format_already_running(self) -> str:
        return f"another firstcause daemon runs on {self.display_url}; stop it, or change [store] url"

    def read_version(self) -> str | None:
        """The schema's version, None where the database is empty."""
        with self.read() as conn:
            if not sa.inspect(conn).has_table("alembic_version"):
                return None
            row = conn.execute(sa.text("SELECT version_num FROM alembic_version")).first()
            return str(row[0]) if row else None

    def prepare(self) -> None:
        """Bring an empty or older database to this program's schema; refuse a newer one."""
        version = self.read_version()
        if version == HEAD:
            self._import_old_inbox()
            return
        if version is not None and version not in self.known_versions():
            msg = (
                f"the database at {self.display_url} has schema {version}, which is newer than this firstcause "
                f"(schema {HEAD}); install the newer firstcause, or point [store] url elsewhere"
            )
            raise StoreError(msg)
        self.upgrade()

    def known_versions(self) -> frozenset[str]:
        return frozenset(
            path.name.partition("_")[0] for path in shipped_path("migrations").glob("versions/*.py")
        )

    def upgrade(self, revision: str = "head") -> None:
        self._run_alembic("upgrade", revision)
        if self.read_version() == HEAD:
            self._import_old_inbox()

    def downgrade(self, revision: str) -> None:
        # Earlier versions know no journal.
        self.empty_journal()
        self._run_alembic("downgrade", revision)

    def empty_journal(self) -> None:
        """Into the table what waits in the journal, where there is one and nobody else writes to it."""
        if not isinstance(self.inbox, JournalInbox) or not self._has_journal_table():
            return
        self._import_old_inbox()
        self.inbox.close()
        while self._move_to_table(self.inbox):
            pass

    def _has_journal_table(self) -> bool:
        with self.read() as conn:
            return sa.inspect(conn).has_table(tables.journal.name)

    def _move_to_table(self, journal: JournalInbox) -> bool:
        """Some of what waits in the journal; False where nothing does."""
        with self.write() as conn:
            batch = journal.load_from_segments(conn, MAX_PAYLOAD_EVENTS)
            if batch is None:
                return False
            batch.mark_processed(conn)
            insert_pending(conn, batch.payloads)
            return True

    def _import_old_inbox(self) -> None:
        """Into the table what waits in the SQLite file that was the inbox before there was a journal."""
        path = Path(f"{self.engine.url.database}{_OLD_INBOX_SUFFIX}")
        if not isinstance(self.inbox, JournalInbox) or not path.is_file():
            return
        names = "key, received_at, events, done, as_sent, body"
        with self.write() as conn, closing(sqlite3.connect(path)) as old_inbox:
            # Killed before the file is gone, it is read again; triage takes each event once.
            for row in old_inbox.execute(f"SELECT {names} FROM inbox ORDER BY seq"):  # noqa: S608 - our own words
                conn.exec_driver_sql(f"INSERT INTO inbox ({names}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        for suffix in ("-wal", "-shm", ""):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _run_alembic(self, command: str, revision: str) -> None:
        # Imported here: most commands find the schema as it should be.
        import alembic.command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util.exc import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(shipped_path("migrations")))
        try:
            with self.write() as conn:
                config.attributes["connection"] = conn
                getattr(alembic.command, command)(config, revision)
        except CommandError as error:
            msg = f"db {command} {revision}: {error}; `firstcause db current` shows the version"
            raise StoreError(msg) from error

    @property
    def display_url(self) -> str:
        return _format_url(self.engine.url)

    def vacuum(self) -> None:
        """Give SQLite's free pages back to the file system; Postgres' own vacuum does that by itself."""
        if not self.is_sqlite:
            return
        with closing(self.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            try:
                # A connection that was last read with may not write.
                cursor.execute("PRAGMA query_only=OFF")
                cursor.execute("VACUUM")
            except sqlite3.Error as error:
                raise StoreError(f"{self.display_url} cannot be made smaller now: {error}") from error

    def close(self) -> None:
        self.inbox.close()
        self.engine.dispose()


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


@contextmanager
def _translate_db_errors(url: sa.URL) -> Iterator[None]:
    """Database errors as one line that names the database, never its password."""
    try:
        yield
    except DBAPIError as error:
        msg = f"the database at {_format_url(url)} does not answer as it should: {_first_line(error.orig)}"
        # These are about what was asked, so the database itself is in order.
        if not isinstance(error, DataError | IntegrityError | ProgrammingError):
            msg = f"{msg}; {_format_connection_hint(url)}"
        raise StoreError(msg) from error
    except SQLAlchemyError as error:
        msg = f"the database at {_format_url(url)}: {_first_line(error)}"
        raise StoreError(msg) from error


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def _format_connection_hint(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return "check that [store] url is right and that its file and folder can be written"
    return "check that [store] url is right and that the server runs and lets its user in"


def _format_url(url: sa.URL) -> str:
    """The url without a password; libpq takes one among the parameters too."""
    return url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)


def _with_driver(url: str) -> str:
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _create_engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except ValueError:
        # Not shown, nor chained: where a password holds a colon, what is no number is part of it.
        msg = (
            "[store] url cannot be used: its port is not a number; "
            "in a password write @ as %40, : as %3A and / as %2F"
        )
        raise StoreError(msg) from None
    except ArgumentError as error:
        raise StoreError(_format_unusable_url(error)) from error
    try:
        if parsed.get_backend_name() == "sqlite":
            return _create_sqlite_engine(parsed)
        connect_args = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_TIMEOUT_S}
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=8, connect_args=connect_args)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(_format_unusable_url(error)) from error


def _format_unusable_url(error: Exception) -> str:
    return f"[store] url cannot be used: {error}; give sqlite:///path or postgresql://user@host/name"


def _is_in_memory(url: sa.URL) -> bool:
    return url.database in {None, "", ":memory:"}


def _create_sqlite_engine(url: sa.URL) -> sa.Engine:
    if not _is_in_memory(url):
        try:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            msg = f"[store] url: the folder of {url.database} cannot be made: {error.strerror}; {_format_connection_hint(url)}"
            raise StoreError(msg) from error
    engine = sa.create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": 15},
        # A database in memory is gone with its connection, so there is one.
        poolclass=sa.StaticPool if _is_in_memory(url) else None,
    )
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: DBAPIConnection, _record: Any) -> None:
    # We begin transactions ourselves: the driver begins them too late for a read to be in them.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    # FULL: an acknowledged event is on the disk, not only with the operating system.
    cursor.execute("PRAGMA synchronous=FULL")
    # Whoever commits as the log is full carries it over, and its senders wait: seldom, then.
    cursor.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    cursor.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * 4096}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: DBAPICursor) -> None:
    # SQLite does not wait here as it does elsewhere, so processes that open a new file at once must.
    for delay in (*_WAL_RETRY_DELAYS_S, None):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if delay is None or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(delay)
        else:
            return


def _on_sqlite_begin(conn: sa.Connection) -> None:
    reading = conn.get_execution_options().get("firstcause_read", False)
    conn.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    conn.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
