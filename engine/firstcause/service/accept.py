"""Accepting events: many senders, one commit. Only when it is on disk is a sender answered."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.store import inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from firstcause.core.model import Event
    from firstcause.store.database import Database

_MOST = 2000


@dataclass
class _Parcel:
    events: Sequence[Event]
    done: Future[None] = field(default_factory=Future)


class Acceptor:
    """A thread that commits whatever has gathered since its last commit, and then answers all of it."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], on_stored: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_stored = on_stored
        self._queue: queue.SimpleQueue[_Parcel | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="acceptor", daemon=True)
        self._thread.start()

    def submit(self, events: Sequence[Event]) -> Future[None]:
        """Done when the events are on disk; StoreError where they could not be stored."""
        parcel = _Parcel(events)
        self._queue.put(parcel)
        return parcel.done

    def close(self) -> None:
        """Store what was submitted, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            parcels, last = self._gather(first)
            self._store(parcels)
            if last:
                return

    def _gather(self, first: _Parcel) -> tuple[list[_Parcel], bool]:
        parcels, size = [first], len(first.events)
        while size < _MOST:
            try:
                parcel = self._queue.get_nowait()
            except queue.Empty:
                break
            if parcel is None:
                return parcels, True
            parcels.append(parcel)
            size += len(parcel.events)
        return parcels, False

    def _store(self, parcels: Sequence[_Parcel]) -> None:
        events = [event for parcel in parcels for event in parcel.events]
        try:
            with self._database.write(exclusive=False) as conn:
                inbox.put(conn, events, self._clock())
        except Exception as error:  # noqa: BLE001 - each sender must hear of it, whatever it is
            for parcel in parcels:
                parcel.done.set_exception(error)
            return
        for parcel in parcels:
            parcel.done.set_result(None)
        self._on_stored()
