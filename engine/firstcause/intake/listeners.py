"""Ways in besides HTTP: each of a plugin's listeners in a thread of its own, begun anew when it stops."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from firstcause.errors import FirstcauseError, IntakeError
from firstcause.intake import plugin_events
from firstcause.plugins.timeouts import described

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from firstcause.core.model import Event
    from firstcause.hookspecs.types import Listener
    from firstcause.intake.metrics import Counts

log = logging.getLogger("firstcause.listening")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_STORED_WITHIN = 30.0
_UNAVAILABLE = 503


class Listening:
    """store: takes events and is done once they are on disk. stop: set when all is to end."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        store: Callable[[Sequence[Event]], Future[None]],
        counts: Counts,
        clock: Callable[[], datetime],
        max_event_bytes: int,
    ) -> None:
        self._listeners = listeners
        self._store = store
        self._counts = counts
        self._clock = clock
        self._max_event_bytes = max_event_bytes
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads = [
            threading.Thread(target=self._keep, args=(each,), name=f"listener {each.name}", daemon=True)
            for each in self._listeners
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, within: float) -> None:
        """Ask all to end, and wait so many seconds for each."""
        self._stop.set()
        for thread in self._threads:
            thread.join(within)

    def _keep(self, listener: Listener) -> None:
        wait = _FIRST_WAIT
        while not self._stop.is_set():
            try:
                listener.run(lambda events: self._submit(listener.name, events), self._stop)
                said = "it returned"
            except BaseException as error:  # noqa: BLE001 - a stranger's code may raise anything
                said = described(error)
            if not self._stop.is_set():
                log.error("listener %s stopped: %s; it begins anew in %g s", listener.name, said, wait)
                self._stop.wait(wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    def _submit(self, name: str, events: Sequence[Event]) -> None:
        """Returns when they are on disk. FirstcauseError where they are not."""
        try:
            parsed = plugin_events.taken(events, now=self._clock(), max_event_bytes=self._max_event_bytes)
            if parsed.events:
                self._store(parsed.events).result(_STORED_WITHIN)
        except TimeoutError:
            self._counts.refused(name, _UNAVAILABLE, len(events))
            msg = f"the store did not take them within {_STORED_WITHIN:g} s"
            raise IntakeError(msg, _UNAVAILABLE, retry_after=_FIRST_WAIT) from None
        except FirstcauseError as error:
            status = error.status if isinstance(error, IntakeError) else _UNAVAILABLE
            self._counts.refused(name, status, len(events))
            raise
        self._counts.took(name, len(parsed.events), {}, {})
        for each in parsed.rejected:
            self._counts.refused(name, each.status)
