"""Locks of the store: the lock of the only daemon, and the order in which writers take turns."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    from pathlib import Path

# Postgres names advisory locks by numbers; all firstcause processes use the same two.
_WRITER_LOCK = 0x66697273
_DAEMON_LOCK = 0x66697274


class LockHeldError(Exception):
    """Another process holds the lock."""


class FairLock:
    """A lock that is handed on in the order in which it was requested.

    threading.Lock goes to the quickest thread. A thread that works off a storm of events takes it again at
    once, so other writers would wait until the storm is over.
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


class DaemonLock(Protocol):
    """The lock of the only daemon on a store, held from `acquire` to `release`."""

    def acquire(self) -> None:
        """Take the lock. LockHeldError where another process holds it."""

    def confirm(self) -> bool:
        """Make sure that the lock is still held; take it again where it was lost.

        Returns whether it had been lost. Raises as `acquire` does where it is lost.
        """

    def release(self) -> None:
        """Free the lock, if it is held."""


class MemoryLock:
    """The lock of a store in memory, which no other process can see."""

    def acquire(self) -> None:
        """See `DaemonLock`."""

    def confirm(self) -> bool:
        """See `DaemonLock`."""
        return False

    def release(self) -> None:
        """See `DaemonLock`."""


class FileLock:
    """The lock on a SQLite store: a file beside it. OSError where the file cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """See `DaemonLock`."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise LockHeldError from error
            raise
        self._fd = fd

    def confirm(self) -> bool:
        """See `DaemonLock`. The lock is lost with its file: the next daemon would lock a new file."""
        if self._fd is not None and self._is_same_file(self._fd):
            return False
        self.release()
        self.acquire()
        return True

    def _is_same_file(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """See `DaemonLock`."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class ServerLock:
    """The lock on a Postgres store, which belongs to a session. SQLAlchemyError where the server is away.

    engine: opens the connection, which serves nothing else.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._conn: sa.Connection | None = None

    def acquire(self) -> None:
        """See `DaemonLock`."""
        self._conn = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        is_acquired = False
        try:
            query = sa.text("SELECT pg_try_advisory_lock(:key)")
            is_acquired = bool(self._conn.execute(query, {"key": _DAEMON_LOCK}).scalar())
        finally:
            if not is_acquired:
                self.release()
        if not is_acquired:
            raise LockHeldError

    def confirm(self) -> bool:
        """See `DaemonLock`. The server frees the lock with the session, for example when it restarts."""
        if self._conn is not None:
            try:
                self._conn.execute(sa.text("SELECT 1"))
            except sa.exc.SQLAlchemyError:
                # Never used again: SQLAlchemy would open a new session, which has no lock, without a word.
                self.release()
            else:
                return False
        self.acquire()
        return True

    def release(self) -> None:
        """See `DaemonLock`."""
        if self._conn is not None:
            # Closed, not returned to the pool: the server frees the lock with the session. This also works
            # where the server was away in the meantime, which an explicit unlock would not.
            self._conn.invalidate()
            self._conn.close()
            self._conn = None


def lock_writers(conn: sa.Connection) -> None:
    """Keep other exclusive writers of a Postgres store out until the transaction ends."""
    # A statement of its own: later statements must read what the previous holder committed.
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
