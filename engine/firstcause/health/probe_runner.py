"""Runs checks side by side. One that raises is DOWN; one that hangs is given up, and is DOWN too.

A check is a stranger's code in a thread that nobody can end. So none is started beside an earlier one of
its probe that still runs, whatever asks for it: there are never more such threads than probes.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Unfinished
from typing import TYPE_CHECKING

from firstcause.core.model import Reading, Status
from firstcause.health.stdout_capture import HUSHED, hush
from firstcause.health.thread_leaks import MOST, Leftovers
from firstcause.plugins.timeouts import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from firstcause.hookspecs.types import Probe

log = logging.getLogger("firstcause.health")


class Check:
    """One run of a probe. Times: seconds of the monotonic clock, so that a clock that is set does no harm."""

    def __init__(self, probe: Probe, leftovers: Leftovers) -> None:
        self.probe = probe
        self._leftovers = leftovers
        self.future: Future[Reading] = Future()
        self._started = time.monotonic()

    def begin(self, finished: Callable[[], None]) -> None:
        """finished: called once it is over, in the check's own thread."""
        self.future.add_done_callback(lambda _future: finished())
        # A daemon thread: one that hangs must not keep the program from ending.
        threading.Thread(target=self._run, name=f"{HUSHED}{self.probe.name}", daemon=True).start()

    def _run(self) -> None:
        before = threading.enumerate()
        try:
            found = self._checked()
        except BaseException as error:  # noqa: BLE001 - sys.exit in a check ends the check, not us
            found = _down(self.probe, f"the check failed: {described(error)}")
        self._leftovers.claim(self.probe.name, before)
        self.future.set_result(found)

    def refused(self, why: str) -> Check:
        """It is not run, and the probe is DOWN."""
        self.future.set_result(_down(self.probe, why))
        return self

    def _checked(self) -> Reading:
        reading = self.probe.check()
        if not isinstance(reading, Reading):
            return _down(self.probe, f"the check returned {type(reading).__name__}, not a Reading")
        if reading.latency_ms is None:
            reading = reading.model_copy(update={"latency_ms": round(self.ran * 1000, 1)})
        return reading

    @property
    def ran(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    @property
    def overdue(self) -> bool:
        return self.ran >= self.probe.timeout

    @property
    def over(self) -> bool:
        """Whether there is a reading without waiting for it."""
        return self.overdue or self.future.done()

    def reading(self) -> Reading:
        """What it saw, as soon as it is there or its time is up."""
        try:
            return self.future.result(max(0.0, self.probe.timeout - self.ran))
        except Unfinished:
            return _down(self.probe, f"no answer within {self.probe.timeout:g} s")


class Prober:
    """Starts checks; whoever asks for one that runs already gets that one. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Check] = {}
        self._leftovers = Leftovers()

    def begin(self, probe: Probe, finished: Callable[[], None] = lambda: None) -> Check:
        """The check of a probe, which runs from now on. finished: called once it is over."""
        hush()
        left = self._leftovers.count(probe.name)
        with self._lock:
            running = self._running.get(probe.name)
            if (running is None or running.future.done()) and left <= MOST:
                fresh = self._running[probe.name] = Check(probe, self._leftovers)
                fresh.begin(finished)
                return fresh
        if running is not None and not running.over:
            running.future.add_done_callback(lambda _future: finished())
            return running
        why = f"its checks left {left} threads behind that still run; it is not asked again before they end"
        if running is not None and not running.future.done():
            why = f"an earlier check still hangs, for {running.ran:.0f} s now"
        refused = Check(probe, self._leftovers).refused(why)
        finished()
        return refused

    def read(self, probes: Iterable[Probe]) -> Mapping[str, Reading]:
        """One reading each, by name, in the order given, once all are there."""
        checks = [self.begin(probe) for probe in probes]
        return {check.probe.name: check.reading() for check in checks}


def _down(probe: Probe, detail: str) -> Reading:
    log.warning("probe %s: %s", probe.name, detail)
    return Reading(status=Status.DOWN, detail=detail, code=probe.code)
