"""Stores events of many senders in one commit. Senders get their answer once the events are on disk."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause.core.text.sizes import format_size
from firstcause.errors import IntakeError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause.store.database import Database
    from firstcause.store.inbox import EventPayload, Inbox

log = logging.getLogger("firstcause.intake")

_MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Bytes that one commit stores; the rest goes into the next commit."""

_MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Bytes between socket and disk; above that events are refused with 503."""

_RETRY_AFTER_S = 1.0
"""Seconds until memory may have room again."""

_BACKLOG_RETRY_AFTER_S = 10.0
"""Seconds until triage may have made room on disk."""

_CHECK_INTERVAL_S = 1.0
"""Seconds between two checks of the inbox's size."""


@dataclass
class _PendingWrite:
    payloads: Sequence[EventPayload]
    size: int
    future: Future[None] = field(default_factory=Future)


class BacklogLimit:
    """Tells whether the inbox is full. max_bytes: of events that wait for triage; 0 means no limit."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._checked_at = -_CHECK_INTERVAL_S
        self.full_since: datetime | None = None

    @property
    def full(self) -> bool:
        """Whether events are refused."""
        return self.full_since is not None

    def refresh(self) -> None:
        """Check the inbox's size, at most once a second. The last result stays if the store fails."""
        now = time.monotonic()
        if not self._max_bytes or now - self._checked_at < _CHECK_INTERVAL_S:
            return
        self._checked_at = now
        try:
            with self._database.read() as conn:
                pending_bytes = self._database.inbox.pending_bytes(conn)
        except StoreError as error:
            log.warning("Inbox size cannot be read: %s. The last known size stands.", error)
            return
        was_full, is_full = self.full, pending_bytes >= self._max_bytes
        self.full_since = (self.full_since or datetime.now(UTC)) if is_full else None
        if self.full and not was_full:
            log.warning(
                "Inbox is full (%s, [intake] max_waiting_bytes). Refusing events with 503 until it drains.",
                format_size(pending_bytes),
            )
        if was_full and not self.full:
            log.info("Inbox is below its limit; accepting events again.")


class GroupCommitWriter:
    """A thread that commits all events that arrived since its last commit, then answers their senders."""

    def __init__(
        self,
        inbox: Inbox,
        clock: Callable[[], datetime],
        on_stored: Callable[[], None],
        backlog_limit: BacklogLimit,
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._on_stored = on_stored
        self._backlog_limit = backlog_limit
        self._queue: queue.SimpleQueue[_PendingWrite | None] = queue.SimpleQueue()
        self._pending_bytes = 0
        self.stored_count = 0
        """Events stored since the start."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._write_loop, name="acceptor", daemon=True)
        self._thread.start()

    def submit(self, payloads: Sequence[EventPayload]) -> Future[None]:
        """Queue payloads for the next commit. The future is done once they are on disk, or has a StoreError.

        Raises IntakeError 503 where too much waits for the disk, or the inbox is full.
        """
        if self._backlog_limit.full:
            msg = "the inbox is full ([intake] max_waiting_bytes); retry later"
            raise IntakeError(msg, 503, retry_after=_BACKLOG_RETRY_AFTER_S)
        write = _PendingWrite(payloads, sum(len(payload.body) for payload in payloads))
        with self._lock:
            if self._pending_bytes > _MAX_PENDING_BYTES:
                msg = "events arrive faster than the disk stores them; retry in a moment"
                raise IntakeError(msg, 503, retry_after=_RETRY_AFTER_S)
            self._pending_bytes += write.size
        self._queue.put(write)
        return write.future

    def close(self) -> None:
        """Store what was submitted, then stop the thread."""
        self._queue.put(None)
        self._thread.join()

    def _write_loop(self) -> None:
        while (first := self._queue.get()) is not None:
            writes, is_last = self._gather_batch(first)
            self._store_batch(writes)
            if is_last:
                return

    def _gather_batch(self, first: _PendingWrite) -> tuple[list[_PendingWrite], bool]:
        gathered, size = [first], first.size
        while size < _MAX_BATCH_BYTES:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:
                return gathered, True
            gathered.append(write)
            size += write.size
        return gathered, False

    def _store_batch(self, writes: Sequence[_PendingWrite]) -> None:
        payloads = [payload for write in writes for payload in write.payloads]
        try:
            self._inbox.store(payloads, self._clock())
        except Exception as error:  # noqa: BLE001 - each sender must get the error, whatever it is
            for write in writes:
                write.future.set_exception(error)
        else:
            self.stored_count += sum(payload.event_count for payload in payloads)
            for write in writes:
                write.future.set_result(None)
            self._on_stored()
            self._backlog_limit.refresh()
        finally:
            with self._lock:
                self._pending_bytes -= sum(write.size for write in writes)
