"""Detects whether a number is beyond its range of a long time, or stays near the edge of that range.

A value, or the mean of the last few, is compared with the lowest and the highest of the same in a sliding
window; how far it is beyond them, as a share of the distance between the two, is its score. After one that
counts it is quiet for a while, so that a climb is reported once. docs/regression.md has its score on the
Numenta Anomaly Benchmark. Each value costs the same, however long the window is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_MIN_SPREAD = 1e-9


@dataclass(frozen=True)
class OutlierSettings:
    """How it is judged; rule files set these as thresholds `extreme_...`.

    window: values that a new one must be beyond. fewest: below so many nothing is said. beyond: by what share
    of their range. floor: the least range, as a share of the largest of them. over: values whose mean is
    looked at too. rest: number of values after a reported one in which nothing is reported.
    """

    window: float = 1000
    fewest: float = 30
    beyond: float = 0.04
    floor: float = 0.2
    over: float = 8
    rest: float = 100


@dataclass(frozen=True)
class Outlier:
    """A value outside its window. low, high: the range of the window. score: distance from it, in ranges."""

    value: float
    low: float
    high: float
    score: float


class _SlidingMinMax:
    """The lowest and the highest number of a sliding window."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._count = 0
        self._min_queue: deque[tuple[int, float]] = deque()
        self._max_queue: deque[tuple[int, float]] = deque()

    def score_outlier(self, value: float, floor: float) -> Outlier:
        low, high = self._min_queue[0][1], self._max_queue[0][1]
        value_range = max(high - low, floor * max(abs(low), abs(high)), _MIN_SPREAD)
        return Outlier(value, low, high, max(value - high, low - value, 0.0) / value_range)

    def add(self, value: float) -> None:
        index, self._count = self._count, self._count + 1
        for queue, sign in ((self._min_queue, 1), (self._max_queue, -1)):
            # A value that is older and less extreme than the new one can never be the edge again.
            while queue and sign * queue[-1][1] >= sign * value:
                queue.pop()
            queue.append((index, value))
            if queue[0][0] <= index - self._window:
                queue.popleft()


class OutlierDetector:
    """Detects outliers of one number, from its values so far."""

    def __init__(self, settings: OutlierSettings) -> None:
        self._settings = settings
        self._windows = _SlidingMinMax(int(settings.window)), _SlidingMinMax(int(settings.window))
        self._last_values: deque[float] = deque(maxlen=max(1, int(settings.over)))
        self._count = 0
        self._quiet_until = 0

    def detect(self, value: float) -> Outlier | None:
        """Add the next value; return an outlier if the value or the mean of the last ones is extreme."""
        self._last_values.append(value)
        pairs = list(
            zip(self._windows, (value, sum(self._last_values) / len(self._last_values)), strict=True)
        )
        outlier = None
        if self._count >= self._settings.fewest:
            outlier = max(
                (window.score_outlier(number, self._settings.floor) for window, number in pairs),
                key=_outlier_score,
            )
        for window, number in pairs:
            window.add(number)
        self._count += 1
        if outlier is None or outlier.score < self._settings.beyond or self._count <= self._quiet_until:
            return None
        self._quiet_until = self._count + int(self._settings.rest)
        return outlier


def _outlier_score(outlier: Outlier) -> float:
    return outlier.score
