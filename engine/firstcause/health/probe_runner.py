"""Runs checks side by side. A probe whose check raises or hangs is DOWN.

A check is foreign code in a thread that nobody can end. So no check is started while an earlier one of the
same probe may still answer, no matter who asks for it. A check that exceeds its timeout is given up: the next
one is started beside it, as it may be stuck on a connection that no longer works. A probe has at most
MAX_ABANDONED_CHECKS such threads; beyond that it waits until one has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Unfinished
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.core.selfcheck.state import HangingProbe
from firstcause.plugins.plugin_thread import PluginThread
from firstcause.plugins.stdout_capture import install_stdout_capture
from firstcause.plugins.thread_leaks import MAX_LEAKED_THREADS, ThreadLeakTracker
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from firstcause.hookspecs.types import Probe

log = logging.getLogger("firstcause.health")

MAX_ABANDONED_CHECKS = 3
"""Checks of one probe that exceeded their timeout and still run, beyond which no further one is started."""


class ProbeRun:
    """One run of a probe's check, timed by the monotonic clock, which nobody sets."""

    def __init__(self, probe: Probe, thread_leaks: ThreadLeakTracker) -> None:
        self.probe = probe
        self._thread_leaks = thread_leaks
        self.future: Future[Reading] = Future()
        self._started = time.monotonic()

    def begin(self, on_finished: Callable[[], None]) -> None:
        """Start the check. on_finished: called once the check is over, in the check's own thread."""
        self.future.add_done_callback(lambda _future: on_finished())
        PluginThread(f"probe {self.probe.name}", self._run_check).start()

    def _run_check(self) -> None:
        threads_before = threading.enumerate()
        try:
            reading = self._call_check()
        except BaseException as error:  # noqa: BLE001 - sys.exit in a check ends the check, not us
            reading = _build_down_reading(self.probe, f"the check failed: {describe_error(error)}")
        self._thread_leaks.claim(self.probe.name, threads_before)
        self.future.set_result(reading)

    def reject(self, reason: str) -> ProbeRun:
        """Make the probe DOWN without running its check. reason: shown as the reading's detail."""
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
        """Seconds since the run was created."""
        return time.monotonic() - self._started

    @property
    def overdue(self) -> bool:
        return self.elapsed_s >= self.probe.timeout

    @property
    def is_finished(self) -> bool:
        """Whether `wait_for_reading` returns at once."""
        return self.overdue or self.future.done()

    def wait_for_reading(self) -> Reading:
        """Wait for the reading, at most until the probe's timeout; DOWN after that."""
        try:
            return self.future.result(max(0.0, self.probe.timeout - self.elapsed_s))
        except Unfinished:
            return _build_down_reading(self.probe, f"no answer within {self.probe.timeout:g} s")


class ProbeRunner:
    """Starts checks. A caller who asks for a probe whose check is running gets that run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, ProbeRun] = {}
        self._abandoned: dict[str, list[ProbeRun]] = {}
        self._thread_leaks = ThreadLeakTracker()

    def begin(self, probe: Probe, on_finished: Callable[[], None] = lambda: None) -> ProbeRun:
        """Start a probe's check, or join the one that runs. on_finished: called once the check is over."""
        install_stdout_capture()
        leaked_count = self._thread_leaks.count(probe.name)
        with self._lock:
            running = self._abandon_overdue(probe.name)
            if (running is None or running.future.done()) and leaked_count <= MAX_LEAKED_THREADS:
                new_run = self._running[probe.name] = ProbeRun(probe, self._thread_leaks)
                new_run.begin(on_finished)
                return new_run
        if running is not None and not running.is_finished:
            running.future.add_done_callback(lambda _future: on_finished())
            return running
        reason = (
            f"its checks left {leaked_count} threads behind that still run; "
            "the next check waits until they have ended"
        )
        if running is not None and not running.future.done():
            reason = f"earlier checks still hang, the latest for {running.elapsed_s:.0f} s now"
        rejected = ProbeRun(probe, self._thread_leaks).reject(reason)
        on_finished()
        return rejected

    def list_hanging(self, now: datetime) -> list[HangingProbe]:
        """List the probes whose check has not returned in time and still runs."""
        with self._lock:
            runs = list(self._running.values())
        return [
            HangingProbe(run.probe.name, now - timedelta(seconds=round(run.elapsed_s)))
            for run in runs
            if not run.future.done() and run.elapsed_s > run.probe.timeout
        ]

    def read(self, probes: Iterable[Probe]) -> Mapping[str, Reading]:
        """Run the checks side by side and wait for all. Returns the readings by name, in the order given."""
        runs = [self.begin(probe) for probe in probes]
        return {run.probe.name: run.wait_for_reading() for run in runs}

    def _abandon_overdue(self, name: str) -> ProbeRun | None:
        """Give up a probe's check that hangs, if not too many do. Returns the check that is waited for."""
        running = self._running.get(name)
        abandoned = [run for run in self._abandoned.get(name, ()) if not run.future.done()]
        if (
            running is not None
            and running.overdue
            and not running.future.done()
            and len(abandoned) < MAX_ABANDONED_CHECKS
        ):
            abandoned.append(running)
            running = None
        self._abandoned[name] = abandoned
        return running


def _build_down_reading(probe: Probe, detail: str) -> Reading:
    log.warning("probe %s: %s", probe.name, detail)
    return Reading(status=Status.DOWN, detail=detail, code=probe.code)
