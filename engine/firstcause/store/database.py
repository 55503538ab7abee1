"""The connection to the database: its engine, read and write transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
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

from firstcause.errors import StoreError, StoreHeldError, StoreUnavailableError
from firstcause.store import audit, locks, schema
from firstcause.store.claim_row import ClaimRow
from firstcause.store.inbox import TableInbox
from firstcause.store.inbox_journal import JournalInbox
from firstcause.store.write_failures import WriteFailures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from firstcause.store.inbox import Inbox

JOURNAL_SUFFIX = "-accepted"
"""The journal's folder is named like SQLite's file with this suffix."""

LOCK_SUFFIX = ".lock"
"""The file of the daemon's lock is named like SQLite's file with this suffix."""

_SQLITE_SUFFIXES = ("", "-wal", "-shm")
"""SQLite's files."""

_KEEPALIVES = {
    "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000,
}  # fmt: skip
"""After how many seconds (the last one: milliseconds) a Postgres server that is gone without a word is given
up; the url may set other times. The system's own default is two hours."""

_CONNECT_TIMEOUT_S = 10
"""Seconds to wait for a Postgres server that does not answer; the url may set another time."""

_WAL_PAGES = 8192
"""Pages of 4 KiB after which SQLite moves its write-ahead log into its file."""

_WAL_RETRY_DELAYS_S = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Seconds between the attempts to switch a new SQLite file to its write-ahead log."""


class Database:
    """One database. Writers take turns, so that two of them can never open two incidents for one cause.

    inbox: holds accepted events until triage. write_failures: whether the store can be written.
    """

    def __init__(self, url: str) -> None:
        """Create the engine without connecting; StoreError where the url cannot be used."""
        self.url = _with_driver(url)
        self.engine = _create_engine(self.url)
        self._write_lock = locks.FairLock()
        self._daemon_lock: locks.DaemonLock | None = None
        self._fenced_thread = threading.local()
        self.write_failures = WriteFailures()
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.inbox = self._create_inbox()

    def _create_inbox(self) -> Inbox:
        table_inbox = TableInbox(partial(self.write, exclusive=False))
        if not self.is_sqlite or _is_in_memory(self.engine.url):
            return table_inbox
        folder = Path(f"{self.engine.url.database}{JOURNAL_SUFFIX}")
        return JournalInbox(folder, table_inbox, self.write_failures)

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[sa.Connection]:
        """Open a transaction that is committed at the end.

        exclusive: keep other firstcause processes from writing too. SQLite always does.
        """
        try:
            with (
                self._write_lock if self.is_sqlite else nullcontext(),
                _translate_db_errors(self.engine.url),
                self.engine.begin() as conn,
            ):
                if exclusive and not self.is_sqlite:
                    locks.lock_writers(conn)
                if exclusive:
                    self._check_fence(conn)
                yield conn
        except StoreUnavailableError as error:
            self.write_failures.record(str(error))
            raise

    def check_writable(self) -> None:
        """Write to the database and to the inbox, and undo both. StoreError where one cannot be written."""
        try:
            try:
                self._write_check_entry()
            except StoreUnavailableError:
                if not self.is_sqlite or not self._empty_wal():
                    raise
                self._write_check_entry()
            self.inbox.check_writable()
        except StoreError as error:
            self.write_failures.record(str(error))
            raise
        self.write_failures.clear()

    def _write_check_entry(self) -> None:
        with self.write(exclusive=False) as conn:
            audit.write_check_entry(conn)

    def _empty_wal(self) -> bool:
        """Move SQLite's write-ahead log into its file and give its bytes back to the disk; whether it worked.

        On a full disk that is often all the room that there is: moving a page that the file already has
        needs no room.
        """
        with closing(self.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            try:
                cursor.execute("PRAGMA query_only=OFF")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                row = cursor.fetchone()
            except sqlite3.Error:
                return False
        is_busy = row is None or row[0]
        return not is_busy

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that may not write.

        A transaction that reads first and writes later fails on SQLite where another one wrote in between.
        """
        with _translate_db_errors(self.engine.url), self.engine.connect() as conn:
            conn.execution_options(firstcause_read=True)
            if not self.is_sqlite:
                conn.execution_options(postgresql_readonly=True)
            yield conn

    @contextmanager
    def hold_daemon_lock(self, *, renews_itself: bool = True) -> Iterator[Callable[[], bool]]:
        """Hold the lock that the daemon has while it runs; StoreHeldError where another daemon holds it.

        Yields `confirm`: makes sure that the lock is still held, and takes it again where it was lost. It
        returns whether it had been lost, and raises StoreError where it cannot be taken again.
        renews_itself: the lock of a Postgres store is renewed by a thread; otherwise only by `confirm`.
        """
        lock = self._create_daemon_lock(renews_itself=renews_itself)
        with self._translate_lock_errors():
            lock.acquire()

        def confirm() -> bool:
            with self._translate_lock_errors():
                return lock.confirm()

        previous, self._daemon_lock = self._daemon_lock, lock
        try:
            yield confirm
        finally:
            self._daemon_lock = previous
            lock.release()

    @contextmanager
    def fence_writes(self) -> Iterator[None]:
        """Within, this thread's exclusive writes fail with StoreHeldError once the daemon's lock is lost."""
        self._fenced_thread.is_on = True
        try:
            yield
        finally:
            self._fenced_thread.is_on = False

    def _check_fence(self, conn: sa.Connection) -> None:
        if self._daemon_lock is not None and getattr(self._fenced_thread, "is_on", False):
            with self._translate_lock_errors():
                self._daemon_lock.check(conn)

    def _create_daemon_lock(self, *, renews_itself: bool) -> locks.DaemonLock:
        if not self.is_sqlite:
            return ClaimRow(self.engine, renews_itself=renews_itself)
        if _is_in_memory(self.engine.url):
            return locks.MemoryLock()
        return locks.FileLock(Path(f"{self.engine.url.database}{LOCK_SUFFIX}"))

    @contextmanager
    def _translate_lock_errors(self) -> Iterator[None]:
        try:
            with _translate_db_errors(self.engine.url):
                yield
        except locks.LockHeldError as error:
            msg = f"another firstcause daemon runs on {self.display_url}; stop it, or change [store] url"
            raise StoreHeldError(msg, sign_of_life=error.args[0] if error.args else None) from error
        except OSError as error:
            path = f"{self.engine.url.database}{LOCK_SUFFIX}"
            msg = f"{path} cannot be written: {error.strerror}; {_format_connection_hint(self.engine.url)}"
            raise StoreError(msg) from error

    def read_version(self) -> str | None:
        """See `schema.read_version`."""
        return schema.read_version(self)

    def prepare(self) -> None:
        """See `schema.prepare`."""
        schema.prepare(self)

    def upgrade(self, revision: str = "head") -> None:
        """See `schema.upgrade`."""
        schema.upgrade(self, revision)

    def downgrade(self, revision: str) -> None:
        """See `schema.downgrade`."""
        schema.downgrade(self, revision)

    @property
    def display_url(self) -> str:
        """The url without its password."""
        return _format_url(self.engine.url)

    def vacuum(self) -> None:
        """Return SQLite's free pages to the file system; Postgres vacuums by itself.

        StoreError where the file is in use or its disk is full.
        """
        if not self.is_sqlite:
            return
        with closing(self.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            try:
                # A connection that was last used for reading may not write.
                cursor.execute("PRAGMA query_only=OFF")
                cursor.execute("VACUUM")
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self.display_url} cannot be vacuumed now: {error}; run it again later"
                ) from error

    def close(self) -> None:
        """Close the inbox and all connections."""
        self.inbox.close()
        self.engine.dispose()


@contextmanager
def _translate_db_errors(url: sa.URL) -> Iterator[None]:
    """Turn database errors into a StoreError of one line that names the database, never its password."""
    try:
        yield
    except DBAPIError as error:
        msg = f"the database at {_format_url(url)} reports an error: {_first_line(error.orig)}"
        # Errors of these classes come from the statement or its values; the database itself is in order.
        if not isinstance(error, DataError | IntegrityError | ProgrammingError):
            raise StoreUnavailableError(f"{msg}; {_format_connection_hint(url)}") from error
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
    """Format the url without its password; libpq also takes a password among the parameters."""
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
        # The error is neither shown nor chained: where a password holds a colon, the text that is not a
        # number is a part of the password.
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
        defaults = {"connect_timeout": _CONNECT_TIMEOUT_S, **_KEEPALIVES}
        connect_args = {name: value for name, value in defaults.items() if name not in parsed.query}
        engine = sa.create_engine(parsed, pool_pre_ping=True, pool_size=8, connect_args=connect_args)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(_format_unusable_url(error)) from error
    sa.event.listen(engine, "connect", _on_postgres_connect)
    return engine


def _on_postgres_connect(connection: Any, _record: Any) -> None:
    # A pooler may give each transaction another session, which does not have the statements that the driver
    # prepared. It shows by the number of the session, of which a pooler tells its own.
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        if cursor.fetchone()[0] != connection.info.backend_pid:
            connection.prepare_threshold = None
    connection.rollback()


def _format_unusable_url(error: Exception) -> str:
    return f"[store] url cannot be used: {error}; give sqlite:///path or postgresql://user@host/name"


def _is_in_memory(url: sa.URL) -> bool:
    return url.database in {None, "", ":memory:"}


def _create_sqlite_engine(url: sa.URL) -> sa.Engine:
    if not _is_in_memory(url):
        try:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            hint = _format_connection_hint(url)
            msg = f"[store] url: the folder of {url.database} cannot be made: {error.strerror}; {hint}"
            raise StoreError(msg) from error
    engine = sa.create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": 15},
        # A database in memory ends with its connection, so all threads share one.
        poolclass=sa.StaticPool if _is_in_memory(url) else None,
    )
    if not _is_in_memory(url):
        sa.event.listen(engine, "do_connect", partial(_keep_private, str(url.database)))
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _keep_private(database: str, *_: Any) -> None:
    """Let only the owner read SQLite's files, which hold what applications reported."""
    if database.startswith("file:"):
        return
    # Made without being opened: to close a file frees the locks that SQLite has on it in this process.
    with suppress(OSError):
        os.mknod(database, 0o600 | stat.S_IFREG)
    for suffix in _SQLITE_SUFFIXES:
        path = Path(f"{database}{suffix}")
        # Files of another user stay as they are, and SQLite says whether they can be used.
        with suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                path.chmod(mode & 0o700)


def _on_sqlite_connect(connection: DBAPIConnection, _record: Any) -> None:
    # We begin transactions ourselves: the driver begins one only before the first write, so that earlier
    # reads would not be part of it.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    # FULL: a committed transaction is on the disk, not only in the cache of the operating system.
    cursor.execute("PRAGMA synchronous=FULL")
    # The commit that fills the log also moves it into the file, and its senders wait for that. A large log
    # makes such commits rare.
    cursor.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    cursor.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * 4096}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: DBAPICursor) -> None:
    # SQLite's busy timeout does not apply here. Processes that open a new file at the same time must retry.
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
