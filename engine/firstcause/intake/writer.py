"""Accepting events: many senders, one commit. Only when it is on disk is a sender answered."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.text.sizes import spoken
from firstcause.errors import IntakeError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from firstcause.store.database import Database
    from firstcause.store.inbox import Inbox, Parcel

log = logging.getLogger("firstcause.intake")

_MOST_BYTES = 8 * 1024 * 1024
"""What one commit stores; more waits for the next."""

_MOST_WAITING = 64 * 1024 * 1024
"""Bytes between socket and disk; beyond it senders are told to come again."""

_LATER = 1.0
"""Seconds until then."""

_TRIAGED_LATER = 10.0
"""Seconds until triage may have made room on disk."""

_LOOK = 1.0
"""Seconds between looks at how much waits on disk."""


@dataclass
class _Delivery:
    parcels: Sequence[Parcel]
    size: int
    done: Future[None] = field(default_factory=Future)


class Room:
    """Whether the disk may hold more of what waits for triage. most: bytes of it, 0 for any."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._looked = -_LOOK
        self.full = False

    def look(self) -> None:
        """Once a second at most, as it asks the store; where that does not answer it stays as it was."""
        now = time.monotonic()
        if not self._most or now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            with self._database.read() as conn:
                waiting = self._database.inbox.bytes_waiting(conn)
        except StoreError as error:
            log.warning("how much waits for triage could not be looked at: %s", error)
            return
        before, self.full = self.full, waiting >= self._most
        if self.full and not before:
            log.warning(
                "%s wait for triage, as much as [intake] max_waiting_bytes allows; senders are told to come "
                "again later", spoken(waiting),
            )  # fmt: skip
        if before and not self.full:
            log.info("there is room again for what waits for triage; senders are taken")


class Acceptor:
    """A thread that commits whatever has gathered since its last commit, and then answers all of it."""

    def __init__(
        self,
        inbox: Inbox,
        clock: Callable[[], datetime],
        on_stored: Callable[[], None],
        room: Room,
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._on_stored = on_stored
        self._room = room
        self._queue: queue.SimpleQueue[_Delivery | None] = queue.SimpleQueue()
        self._waiting = 0
        self.stored = 0
        """Events so far."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="acceptor", daemon=True)
        self._thread.start()

    def submit(self, parcels: Sequence[Parcel]) -> Future[None]:
        """Done when the parcels are on disk; StoreError where they could not be stored.

        IntakeError 503 where more waits for the disk than memory should hold, or for triage than the disk.
        """
        if self._room.full:
            msg = "more waits for triage than [intake] max_waiting_bytes allows; send it again later"
            raise IntakeError(msg, 503, retry_after=_TRIAGED_LATER)
        delivery = _Delivery(parcels, sum(len(each.body) for each in parcels))
        with self._lock:
            if self._waiting > _MOST_WAITING:
                msg = "more arrives than the disk takes; send it again in a moment"
                raise IntakeError(msg, 503, retry_after=_LATER)
            self._waiting += delivery.size
        self._queue.put(delivery)
        return delivery.done

    def close(self) -> None:
        """Store what was submitted, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            deliveries, last = self._gather(first)
            self._store(deliveries)
            if last:
                return

    def _gather(self, first: _Delivery) -> tuple[list[_Delivery], bool]:
        gathered, size = [first], first.size
        while size < _MOST_BYTES:
            try:
                delivery = self._queue.get_nowait()
            except queue.Empty:
                break
            if delivery is None:
                return gathered, True
            gathered.append(delivery)
            size += delivery.size
        return gathered, False

    def _store(self, deliveries: Sequence[_Delivery]) -> None:
        parcels = [parcel for each in deliveries for parcel in each.parcels]
        try:
            self._inbox.store(parcels, self._clock())
        except Exception as error:  # noqa: BLE001 - each sender must hear of it, whatever it is
            for each in deliveries:
                each.done.set_exception(error)
        else:
            self.stored += sum(parcel.events for parcel in parcels)
            for each in deliveries:
                each.done.set_result(None)
            self._on_stored()
            self._room.look()
        finally:
            with self._lock:
                self._waiting -= sum(each.size for each in deliveries)
