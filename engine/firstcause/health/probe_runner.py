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
from firstcause.health.stdout_capture import CAPTURED_THREAD_PREFIX, install_stdout_capture
from firstcause.health.thread_leaks import MAX_LEAKED_THREADS, ThreadLeakTracker
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from firstcause.hookspecs.types import Probe

log = logging.getLogger("firstcause.health")


class ProbeRun:
    """One run of a probe. Times: seconds of the monotonic clock, so that a clock that is set does no harm."""

    def __init__(self, probe: Probe, thread_leaks: ThreadLeakTracker) -> None:
        self.probe = probe
        self._thread_leaks = thread_leaks
        self.future: Future[Reading] = Future()
        self._started = time.monotonic()

    def begin(self, on_finished: Callable[[], None]) -> None:
        """finished: called once it is over, in the check's own thread."""
        self.future.add_done_callback(lambda _future: on_finished())
        # A daemon thread: one that hangs must not keep the program from ending.
        threading.Thread(
            target=self._run_check, name=f"{CAPTURED_THREAD_PREFIX}{self.probe.name}", daemon=True
        ).start()

    def _run_check(self) -> None:
        threads_before = threading.enumerate()
        try:
            reading = self._call_check()
        except BaseException as error:  # noqa: BLE001 - sys.exit in a check ends the check, not us
            reading = _build_down_reading(self.probe, f"the check failed: {describe_error(error)}")
        self._thread_leaks.claim(self.probe.name, threads_before)
        self.future.set_result(reading)

    def reject(self, reason: str) -> ProbeRun:
        """It is not run, and the probe is DOWN."""
        self.future.set_result(_build_down_reading(self.probe, reason))
        return self

    def _call_check(self) -> Reading:
        reading = self.probe.check()
        if not isinstance(reading, Reading):
            return _build_down_reading(
                self.probe, f"the check returned {type(reading).__name__}, not a Reading"
            )
        if reading.latency_ms is None:
            reading = reading.model_copy(update={"latency_ms": round(self.elapsed_s * 1000, 1)})
        return reading

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    @property
    def overdue(self) -> bool:
        return self.elapsed_s >= self.probe.timeout

    @property
    def is_finished(self) -> bool:
        """Whether there is a reading without waiting for it."""
        return self.overdue or self.future.done()

    def wait_for_reading(self) -> Reading:
        """What it saw, as soon as it is there or its time is up."""
        try:
            return self.future.result(max(0.0, self.probe.timeout - self.elapsed_s))
        except Unfinished:
            return _build_down_reading(self.probe, f"no answer within {self.probe.timeout:g} s")


class ProbeRunner:
    """Starts checks; whoever asks for one that runs already gets that one. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, ProbeRun] = {}
        self._thread_leaks = ThreadLeakTracker()

    def begin(self, probe: Probe, on_finished: Callable[[], None] = lambda: None) -> ProbeRun:
        """The check of a probe, which runs from now on. finished: called once it is over."""
        install_stdout_capture()
        leaked_count = self._thread_leaks.count(probe.name)
        with self._lock:
            running = self._running.get(probe.name)
            if (running is None or running.future.done()) and leaked_count <= MAX_LEAKED_THREADS:
                new_run = self._running[probe.name] = ProbeRun(probe, self._thread_leaks)
                new_run.begin(on_finished)
                return new_run
        if running is not None and not running.is_finished:
            running.future.add_done_callback(lambda _future: on_finished())
            return running
        reason = (
            f"its checks left {leaked_count} threads behind that still run; "
            "it is not asked again before they end"
        )
        if running is not None and not running.future.done():
            reason = f"an earlier check still hangs, for {running.elapsed_s:.0f} s now"
        rejected = ProbeRun(probe, self._thread_leaks).reject(reason)
        on_finished()
        return rejected

    def read(self, probes: Iterable[Probe]) -> Mapping[str, Reading]:
        """One reading each, by name, in the order given, once all are there."""
        runs = [self.begin(probe) for probe in probes]
        return {run.probe.name: run.wait_for_reading() for run in runs}


def _build_down_reading(probe: Probe, detail: str) -> Reading:
    log.warning("probe %s: %s", probe.name, detail)
    return Reading(status=Status.DOWN, detail=detail, code=probe.code)
