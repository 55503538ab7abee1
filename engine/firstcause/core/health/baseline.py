"""Whether several numbers of one component are together unlike what is normal for it, at this hour.

Each number is measured against the median of what came before, in units of its own spread: the larger of
the median absolute deviation and of what nine of ten values keep to, so that neither outliers nor long
tails fool it. A number that is usual at this hour of the day is not unusual, whatever it was an hour ago.
What one number tells is limited, squares are added, and what chance alone would give is taken off; the
mean of the last points is the score. docs/regression.md has what it finds and how often it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAD = 1.4826
"""A normal distribution's standard deviation in median absolute deviations ..."""

_NINE_OF_TEN = 1.645
"""... and how many of them nine of ten values keep to."""

_TINY = 1e-9


@dataclass(frozen=True)
class Normal:
    """How it is judged; rule files set these as thresholds `normal_...`.

    window: points that what is normal goes by. fewest: below so many nothing is said. floor: the least
    spread, as a share of the median. most: spreads that one number counts at most. over: points whose mean
    is the score. score: from here on a component is unusual.
    """

    window: float = 120
    fewest: float = 15
    floor: float = 0.03
    most: float = 10
    over: float = 3
    score: float = 5


@dataclass(frozen=True)
class Range:
    """What is usual of one number: nearly all values lie within so many spreads of the middle."""

    middle: float
    spread: float

    def off(self, value: float) -> float:
        """How many spreads a value is away."""
        return abs(value - self.middle) / self.spread


def usual(history: Sequence[float], normal: Normal) -> Range | None:
    """The range of what came before; None where that is too little."""
    if len(history) < normal.fewest:
        return None
    middle = median(history)
    apart = sorted(abs(value - middle) for value in history)
    spread = max(_MAD * median(apart), apart[int(0.9 * (len(apart) - 1))] / _NINE_OF_TEN)
    return Range(middle, max(spread, normal.floor * abs(middle), _TINY))


@dataclass(frozen=True)
class Off:
    """One number that is not as usual. off: by how many spreads."""

    name: str
    value: float
    usual: Range
    off: float


@dataclass(frozen=True)
class Judgement:
    """score: 0 and more; 5 is unusual. worst: the numbers that are furthest off, the furthest first."""

    score: float
    worst: tuple[Off, ...]


def strangeness(point: Mapping[str, float], ranges: Mapping[str, Sequence[Range]], normal: Normal) -> float:
    """Of one moment. ranges: of each number those that it may be in, by the last hours and by this hour."""
    known = [(value, ranges[name]) for name, value in point.items() if ranges.get(name)]
    squares = [min(_off(value, within), normal.most) ** 2 for value, within in known]
    return sqrt(max(0.0, sum(squares) - len(squares)))


def _off(value: float, ranges: Sequence[Range]) -> float:
    return min(each.off(value) for each in ranges)


def judged(
    recent: Sequence[Mapping[str, float]], same_hour: Sequence[Mapping[str, float]], normal: Normal
) -> Judgement | None:
    """The last of the points against those before it. None where too little is known.

    recent: numbers by name, in order of time, the last to be judged. same_hour: of this hour on other days.
    """
    over = min(int(normal.over), len(recent))
    scores, last = [], {}
    for at in range(len(recent) - over, len(recent)):
        past = recent[max(0, at - int(normal.window)) : at]
        last = _ranges(recent[at], past, same_hour, normal)
        scores.append(strangeness(recent[at], last, normal))
    if not last:
        return None
    now = recent[-1]
    off = (_worst(name, now[name], ranges) for name, ranges in last.items())
    worst = sorted((each for each in off if each.off > 1), key=lambda each: -each.off)
    return Judgement(sum(scores) / len(scores), tuple(worst[:3]))


def _ranges(
    point: Mapping[str, float],
    past: Sequence[Mapping[str, float]],
    same_hour: Sequence[Mapping[str, float]],
    normal: Normal,
) -> dict[str, list[Range]]:
    found = {}
    for name in point:
        by_time = usual([each[name] for each in past if name in each], normal)
        by_hour = usual([each[name] for each in same_hour if name in each], normal)
        # What is known of this hour alone says nothing of today.
        if by_time is not None:
            found[name] = [each for each in (by_time, by_hour) if each is not None]
    return found


def _worst(name: str, value: float, ranges: Sequence[Range]) -> Off:
    nearest = min(ranges, key=lambda each: each.off(value))
    return Off(name, value, nearest, nearest.off(value))
