"""Runs plugins' listeners, the ways in beside HTTP: each in its own thread, restarted when it stops."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.state import Failure, ListenerState
from firstcause.errors import FirstcauseError, IntakeError
from firstcause.hookspecs.types import IntakeResult
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from firstcause.core.model import Event
    from firstcause.hookspecs.types import Listener
    from firstcause.intake.event_intake import EventIntake

log = logging.getLogger("firstcause.listening")

_INITIAL_BACKOFF_S, _MAX_BACKOFF_S = 1.0, 60.0
_STORE_TIMEOUT_S = 30.0
_STEADY_AFTER_S = 5.0
"""Seconds after which a listener that runs again counts as listening: one without a port ends at once."""
_STATUS_UNAVAILABLE = 503


class ListenerSupervisor:
    """Runs the listeners until `stop`.

    intake: where their events are stored. max_event_bytes: of one event, as JSON.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        intake: EventIntake,
        clock: Callable[[], datetime],
        max_event_bytes: int,
    ) -> None:
        self._listeners = listeners
        self._intake = intake
        self._metrics = intake.metrics
        self._clock = clock
        self._max_event_bytes = max_event_bytes
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._running_since: dict[str, float] = {}
        self._failures: dict[str, Failure] = {}

    def list_states(self) -> list[ListenerState]:
        """List the listeners, each with its failure if it does not listen."""
        return [
            ListenerState(listener.name, None if self._is_steady(listener.name) else failure)
            for listener in self._listeners
            for failure in (self._failures.get(listener.name),)
        ]

    def _is_steady(self, name: str) -> bool:
        started = self._running_since.get(name)
        return started is not None and time.monotonic() - started >= _STEADY_AFTER_S

    def start(self) -> None:
        self._threads = [
            threading.Thread(
                target=self._run_listener, args=(listener,), name=f"listener {listener.name}", daemon=True
            )
            for listener in self._listeners
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ask all listeners to end, and wait for each at most `timeout_s` seconds."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _run_listener(self, listener: Listener) -> None:
        backoff_s = _INITIAL_BACKOFF_S
        while not self._stop.is_set():
            self._running_since[listener.name] = time.monotonic()
            try:
                listener.run(lambda events: self._submit_events(listener.name, events), self._stop)
                reason = "it returned"
            except BaseException as error:  # noqa: BLE001 - a plugin's code may raise anything
                reason = describe_error(error)
            if not self._stop.is_set():
                if self._is_steady(listener.name):
                    backoff_s = _INITIAL_BACKOFF_S
                self._record_failure(listener.name, reason)
                log.error("Listener %s stopped: %s. Restarting in %g s.", listener.name, reason, backoff_s)
                self._stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    def _record_failure(self, name: str, reason: str) -> None:
        """Record that a listener ended. Its failures are one until it has listened for a while."""
        earlier = None if self._is_steady(name) else self._failures.get(name)
        since = earlier.since if earlier is not None else self._clock()
        self._failures[name] = Failure(since, reason)
        self._running_since.pop(name, None)

    def _submit_events(self, name: str, submitted: Sequence[Event] | IntakeResult) -> None:
        """Store events of a listener and wait until they are on disk. Raises FirstcauseError."""
        result = submitted if isinstance(submitted, IntakeResult) else IntakeResult(submitted)
        try:
            packer = self._intake.create_packer(self._clock(), self._max_event_bytes)
            packer.add_plugin_events(result)
            packed = packer.finish()
            if packed.payloads:
                self._intake.submit(packed.payloads).result(_STORE_TIMEOUT_S)
        except TimeoutError:
            self._metrics.record_rejected(name, _STATUS_UNAVAILABLE, len(result.events))
            msg = f"the events were not stored within {_STORE_TIMEOUT_S:g} s; send them again"
            raise IntakeError(msg, _STATUS_UNAVAILABLE, retry_after=_INITIAL_BACKOFF_S) from None
        except FirstcauseError as error:
            status = error.status if isinstance(error, IntakeError) else _STATUS_UNAVAILABLE
            self._metrics.record_rejected(name, status, len(result.events))
            raise
        self._metrics.record_accepted(name, len(packed.ids), result.ignored, result.dropped_by_sender)
        for rejected in packed.rejected:
            self._metrics.record_rejected(name, rejected.status)
