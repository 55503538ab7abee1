"""Locks of the store: the lock of the only daemon, and the order in which writers take turns."""

from __future__ import annotations

import fcntl
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@contextmanager
def hold_file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the only daemon on a SQLite store.

    Raises LockHeldError where another process holds the lock, OSError where the file cannot be written.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockHeldError from error
        yield


@contextmanager
def hold_server_lock(conn: sa.Connection) -> Iterator[None]:
    """Hold the lock of the only daemon on a Postgres store; LockHeldError where another session holds it.

    conn: a connection outside any transaction that serves nothing else; it is closed at the end.
    """
    acquired = conn.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _DAEMON_LOCK}).scalar()
    if not acquired:
        raise LockHeldError
    try:
        yield
    finally:
        # Closed, not returned to the pool: the server frees the lock with the session. This also works where
        # the server was away in the meantime, which an explicit unlock would not.
        conn.invalidate()


def lock_writers(conn: sa.Connection) -> None:
    """Keep other exclusive writers of a Postgres store out until the transaction ends."""
    # A statement of its own: later statements must read what the previous holder committed.
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
