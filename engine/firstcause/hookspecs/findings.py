"""Collects what one check finds, for probes that check more than one thing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from firstcause.core.model import Scalar, Status
from firstcause.core.reading import Problem, Reading


@dataclass
class Findings:
    """Measurements and problems of one check. The worst problem becomes the reading's status and detail.

    The clock for the latency starts when the object is made; `record_latency` stops it.
    """

    data: dict[str, Scalar] = field(default_factory=dict)
    latency_ms: float | None = None
    _problems: list[tuple[Status, Problem]] = field(default_factory=list)
    _slow_answers: int = 0
    _started: float = field(default_factory=time.perf_counter)

    def restart(self) -> None:
        """Start the clock again, so that the latency leaves out what came before, such as connecting."""
        self._started = time.perf_counter()

    def record_latency(self, degraded_ms: float | None = None, code: str | None = None) -> None:
        """Stop the clock. A latency above degraded_ms is a problem with that code."""
        self.latency_ms = round((time.perf_counter() - self._started) * 1000, 2)
        if degraded_ms is not None and self.latency_ms > degraded_ms:
            self.degraded(f"answered in {self.latency_ms:g} ms, over {degraded_ms:g} ms", code)
            self._slow_answers += 1

    def measure(
        self, name: str, value: Scalar | None, *, maximum: float | None = None, code: str | None = None
    ) -> None:
        """Keep a measurement, unit at the end of its name; None is ignored. Above `maximum` is a problem."""
        if value is None:
            return
        rounded = round(value, 4) if isinstance(value, float) else value
        self.data[name] = rounded
        if maximum is not None and isinstance(rounded, int | float) and rounded > maximum:
            self.degraded(f"{name.replace('_', ' ')} is {rounded:g}, over {maximum:g}", code)

    def degraded(self, detail: str, code: str | None = None) -> None:
        """Add a problem: the component works, with restrictions."""
        self._problems.append((Status.DEGRADED, Problem(code=code, detail=detail)))

    def down(self, detail: str, code: str | None = None) -> None:
        """Add a problem: the component does not work."""
        self._problems.append((Status.DOWN, Problem(code=code, detail=detail)))

    def reading(self, well: str) -> Reading:
        """Make the reading. well: its detail if there is no problem."""
        # Of equally bad problems the first is used: the sort is stable.
        sorted_problems = sorted(self._problems, key=lambda entry: -entry[0].rank)
        if not sorted_problems:
            return Reading(status=Status.UP, detail=well, latency_ms=self.latency_ms, data=dict(self.data))
        (status, worst), *others = sorted_problems
        return Reading(
            status=status,
            detail=worst.detail,
            latency_ms=self.latency_ms,
            code=worst.code,
            data=dict(self.data),
            problems=tuple(problem for _status, problem in others),
            momentary=len(self._problems) == self._slow_answers,
        )
