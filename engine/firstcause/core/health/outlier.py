"""Whether one number is beyond all that it was for long, or stays near the edge as never before.

A value, or the mean of the last few, is compared with the lowest and the highest of the same in a sliding
window; how far it is beyond them, as a share of the distance between the two, is its score. After one that
counts it is quiet for a while, so that a climb is told once. docs/regression.md has its score on the
Numenta Anomaly Benchmark. Each value costs the same, however long the window is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_TINY = 1e-9


@dataclass(frozen=True)
class Reach:
    """How it is judged; rule files set these as thresholds `extreme_...`.

    window: values that a new one must be beyond. fewest: below so many nothing is said. beyond: by what share
    of their range. floor: the least range, as a share of the largest of them. over: values whose mean is
    looked at too. rest: values after one that was told in which nothing is said.
    """

    window: float = 1000
    fewest: float = 30
    beyond: float = 0.04
    floor: float = 0.2
    over: float = 8
    rest: float = 100


@dataclass(frozen=True)
class Extreme:
    """A value beyond all of its window. low, high: their range. score: how many ranges it is outside."""

    value: float
    low: float
    high: float
    score: float


class _Edges:
    """The lowest and the highest of the last so many numbers."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._count = 0
        self._rising: deque[tuple[int, float]] = deque()
        self._falling: deque[tuple[int, float]] = deque()

    def outside(self, value: float, floor: float) -> Extreme:
        low, high = self._rising[0][1], self._falling[0][1]
        apart = max(high - low, floor * max(abs(low), abs(high)), _TINY)
        return Extreme(value, low, high, max(value - high, low - value, 0.0) / apart)

    def add(self, value: float) -> None:
        at, self._count = self._count, self._count + 1
        for edge, sign in ((self._rising, 1), (self._falling, -1)):
            # What is neither newer nor further out than the new one will never be the edge again.
            while edge and sign * edge[-1][1] >= sign * value:
                edge.pop()
            edge.append((at, value))
            if edge[0][0] <= at - self._window:
                edge.popleft()


class Extremes:
    """The values of one number so far."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._edges = _Edges(int(reach.window)), _Edges(int(reach.window))
        self._last: deque[float] = deque(maxlen=max(1, int(reach.over)))
        self._seen = 0
        self._quiet_until = 0

    def next(self, value: float) -> Extreme | None:
        """The next value, where it or the mean of the last ones is extreme; else None."""
        self._last.append(value)
        pairs = list(zip(self._edges, (value, sum(self._last) / len(self._last)), strict=True))
        found = None
        if self._seen >= self._reach.fewest:
            found = max((edges.outside(each, self._reach.floor) for edges, each in pairs), key=_score)
        for edges, each in pairs:
            edges.add(each)
        self._seen += 1
        if found is None or found.score < self._reach.beyond or self._seen <= self._quiet_until:
            return None
        self._quiet_until = self._seen + int(self._reach.rest)
        return found


def _score(each: Extreme) -> float:
    return each.score
