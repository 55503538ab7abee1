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

# Postgres names advisory locks by numbers; all firstcause processes use the same one.
_WRITER_LOCK = 0x66697273


class LockHeldError(Exception):
    """Another process holds the lock. Its argument, if any, changes as long as that process lives."""


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

    def check(self, conn: sa.Connection) -> None:
        """Make sure, within a transaction that keeps other writers out, that the lock is this one's.

        LockHeldError where it is not. It takes nothing again.
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

    def check(self, conn: sa.Connection) -> None:
        """See `DaemonLock`."""

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

    def check(self, conn: sa.Connection) -> None:  # noqa: ARG002 - the lock is outside of the database
        """See `DaemonLock`."""
        if self._fd is None or not self._is_same_file(self._fd):
            raise LockHeldError

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


def lock_writers(conn: sa.Connection) -> None:
    """Keep other exclusive writers of a Postgres store out until the transaction ends."""
    # A statement of its own: later statements must read what the previous holder committed.
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
