"""Asks the store about firstcause itself, for a limited time, as a store that hangs is a condition too."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.state import Backlog
from firstcause.errors import StoreError
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout
from firstcause.store import delivery_log, event_log

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from firstcause.core.selfcheck.state import Failure, SetAside
    from firstcause.store.database import Database

READ_TIMEOUT_S = 25.0
"""Seconds within which the store must answer: more than SQLite waits for another writer."""

WRITE_CHECK_INTERVAL_S = 60.0
"""Seconds between checks that the store can be written; while it cannot, it is checked each time."""

MIN_WRITE_CHECK_INTERVAL_S = 1.0
"""Seconds between two writes that somebody's question causes: everybody may ask `/readyz`."""

WRITE_CHECK_TIMEOUT_S = 0.5
"""Seconds that such a question waits: orchestrators give up after a second."""

SET_ASIDE_SEARCH = timedelta(hours=1)
"""How old events may be that an earlier process set aside and that still count."""


@dataclass
class StoreReader:
    """Keeps the last answers of the store, so that questions about firstcause never wait for the store.

    failing_notifiers: by name, those whose last attempt failed. set_aside: by earlier processes.
    backlog: what waits for triage, if that is more than the limit.
    """

    database: Database
    failing_notifiers: Mapping[str, Failure] = field(default_factory=dict)
    set_aside: SetAside | None = None
    backlog: Backlog | None = None
    _checked_at: float | None = field(default=None, init=False)
    _is_first: bool = field(default=True, init=False)
    _running: threading.Event | None = field(default=None, init=False)
    _write_lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def check_writable(self) -> None:
        """Try to write, unless that was tried within the last second, and wait a moment for the answer.

        A failure is kept in `database.write_failures`. A store that does not answer in time is the business
        of `refresh`: it may just be busy.
        """
        if not self._write_lock.acquire(blocking=False):
            return
        checked_at = self._checked_at
        if checked_at is not None and time.monotonic() - checked_at < MIN_WRITE_CHECK_INTERVAL_S:
            self._write_lock.release()
            return

        def write() -> None:
            try:
                self._try_to_write()
            finally:
                self._write_lock.release()

        with suppress(StoreError, CallTimeoutError):
            call_with_timeout(write, WRITE_CHECK_TIMEOUT_S, "check of the store")

    def _try_to_write(self) -> None:
        try:
            self.database.check_writable()
        finally:
            self._checked_at = time.monotonic()

    def refresh(self, notifier_names: Collection[str], max_backlog: float, now: datetime) -> None:
        """Ask the store again. A failure is kept in `database.write_failures`.

        max_backlog: events that may wait for triage before that counts as a backlog.
        """
        failures = self.database.write_failures
        if self._running is not None and not self._running.is_set():
            failures.record(f"the database at {self.database.display_url} does not answer")
            return
        finished = self._running = threading.Event()

        def ask() -> None:
            try:
                self._ask_store(notifier_names, max_backlog, now)
            finally:
                finished.set()

        try:
            call_with_timeout(ask, READ_TIMEOUT_S, "self-check of the store")
        except StoreError as error:
            failures.record(str(error))
        except CallTimeoutError:
            failures.record(
                f"the database at {self.database.display_url} did not answer within {READ_TIMEOUT_S:g} s"
            )

    def _ask_store(self, notifier_names: Collection[str], max_backlog: float, now: datetime) -> None:
        checked_at = self._checked_at
        is_due = checked_at is None or time.monotonic() - checked_at >= WRITE_CHECK_INTERVAL_S
        if is_due or self.database.write_failures.current is not None:
            self._try_to_write()
        with self.database.read() as conn:
            pending = self.database.inbox.count_pending(conn)
            since = now if self.backlog is None else self.backlog.since
            self.backlog = Backlog(pending, since) if pending > max_backlog else None
            self.failing_notifiers = delivery_log.find_failing_notifiers(conn, notifier_names)
            if self._is_first:
                self.set_aside = event_log.find_set_aside(conn, now - SET_ASIDE_SEARCH)
                self._is_first = False
