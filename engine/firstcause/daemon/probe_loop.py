"""Runs every probe on its interval, and at once those that triage suspects."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause.health.probe_schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from firstcause.health.health_service import HealthService
    from firstcause.health.probe_runner import ProbeRun

MAX_WAIT_S = 0.5
"""Seconds between two looks at the schedule at most."""

SUSPECT_GAP_S = 5.0
"""Seconds that a probe rests before a suspicion may run it again ahead of its time."""

GATHER_WINDOW_S = 0.1
"""Seconds within which probes that are due run together."""


class ProbeLoop:
    """One step starts the probes that are due and reports those that are finished.

    A slow probe delays no other.

    on_reported: called after readings were reported. stopping: set when the daemon stops.
    """

    def __init__(
        self, health: HealthService, on_reported: Callable[[], None], stopping: threading.Event
    ) -> None:
        self._health = health
        self._on_reported = on_reported
        self._stopping = stopping
        self._schedule = Schedule(health.probes, SUSPECT_GAP_S)
        self._running: dict[str, ProbeRun] = {}
        self._suspects: set[str] = set()
        self._wake = threading.Event()
        self._reported: set[str] = set()
        self._suspected_runs: set[str] = set()

    def suspect(self, names: Collection[str]) -> None:
        """Run these probes ahead of their time. Any thread may call this; unknown names are ignored."""
        self._suspects |= {name for name in names if name in self._health.probes}
        self._wake.set()

    def wake(self) -> None:
        """End the wait of the step that is under way."""
        self._wake.set()

    def have_all_reported(self) -> bool:
        """Whether every probe has a reading that counts and was reported."""
        return self._reported >= self._health.probes.keys()

    def step(self) -> None:
        """Start, report, then wait until there is more to do."""
        self._start_due()
        self._report_finished()
        self._wake.wait(self._schedule.compute_wait(time.monotonic(), MAX_WAIT_S))
        self._stopping.wait(GATHER_WINDOW_S)
        self._wake.clear()

    def _start_due(self) -> None:
        now = time.monotonic()
        due = self._schedule.list_due(now, frozenset(self._suspects))
        self._schedule.mark_started(due, now)
        self._suspected_runs |= self._suspects & set(due)
        self._suspects -= set(due)
        self._running |= {name: self._health.begin_check(name, self._wake.set) for name in due}

    def _report_finished(self) -> None:
        finished = {name: run.wait_for_reading() for name, run in self._running.items() if run.is_finished}
        if finished:
            self._running = {name: run for name, run in self._running.items() if name not in finished}
            again = self._health.report_scheduled_readings(
                finished, self._suspected_runs & finished.keys(), datetime.now(UTC)
            )
            self._suspected_runs -= finished.keys()
            self._reported |= finished.keys() - again
            if again:
                due_at = time.monotonic() + self._health.second_look_delay_s
                self._schedule.add_second_looks(again, due_at)
            self._on_reported()
