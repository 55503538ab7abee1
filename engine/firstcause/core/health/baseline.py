"""Scores whether the numbers of a component, taken together, are unusual for it at this hour.

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

_MAD_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation in median absolute deviations ..."""

_P90_IN_SIGMA = 1.645
"""... and how many of them nine of ten values keep to."""

_MIN_SPREAD = 1e-9


@dataclass(frozen=True)
class BaselineSettings:
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
class ExpectedRange:
    """What is usual for one number: its center, and the spread of values around it."""

    center: float
    spread: float

    def distance(self, value: float) -> float:
        """Return how many spreads a value is away from the center."""
        return abs(value - self.center) / self.spread


def estimate_range(history: Sequence[float], settings: BaselineSettings) -> ExpectedRange | None:
    """Compute the usual range of earlier values; None where there are too few."""
    if len(history) < settings.fewest:
        return None
    center = median(history)
    distances = sorted(abs(value - center) for value in history)
    spread = max(
        _MAD_TO_SIGMA * median(distances), distances[int(0.9 * (len(distances) - 1))] / _P90_IN_SIGMA
    )
    return ExpectedRange(center, max(spread, settings.floor * abs(center), _MIN_SPREAD))


@dataclass(frozen=True)
class Deviation:
    """One number that is unusual. distance: from the usual, in spreads."""

    name: str
    value: float
    expected: ExpectedRange
    distance: float


@dataclass(frozen=True)
class DeviationScore:
    """How unusual a component is. score: 0 and more; 5 is unusual. worst: the most unusual numbers first."""

    score: float
    worst: tuple[Deviation, ...]


def deviation_score(
    point: Mapping[str, float], ranges: Mapping[str, Sequence[ExpectedRange]], settings: BaselineSettings
) -> float:
    """Of one moment. ranges: of each number those that it may be in, by the last hours and by this hour."""
    known_values = [(value, ranges[name]) for name, value in point.items() if ranges.get(name)]
    squares = [min(_min_distance(value, expected), settings.most) ** 2 for value, expected in known_values]
    return sqrt(max(0.0, sum(squares) - len(squares)))


def _min_distance(value: float, ranges: Sequence[ExpectedRange]) -> float:
    return min(expected.distance(value) for expected in ranges)


def score_deviation(
    recent: Sequence[Mapping[str, float]],
    same_hour: Sequence[Mapping[str, float]],
    settings: BaselineSettings,
) -> DeviationScore | None:
    """The last of the points against those before it. None where too little is known.

    recent: numbers by name, in order of time, the last to be judged. same_hour: of this hour on other days.
    """
    scored_points = min(int(settings.over), len(recent))
    scores, last_ranges = [], {}
    for index in range(len(recent) - scored_points, len(recent)):
        past = recent[max(0, index - int(settings.window)) : index]
        last_ranges = _estimate_ranges(recent[index], past, same_hour, settings)
        scores.append(deviation_score(recent[index], last_ranges, settings))
    if not last_ranges:
        return None
    current = recent[-1]
    deviations = (_worst_deviation(name, current[name], ranges) for name, ranges in last_ranges.items())
    worst = sorted(
        (deviation for deviation in deviations if deviation.distance > 1),
        key=lambda deviation: -deviation.distance,
    )
    return DeviationScore(sum(scores) / len(scores), tuple(worst[:3]))


def _estimate_ranges(
    point: Mapping[str, float],
    past: Sequence[Mapping[str, float]],
    same_hour: Sequence[Mapping[str, float]],
    settings: BaselineSettings,
) -> dict[str, list[ExpectedRange]]:
    ranges = {}
    for name in point:
        by_time = estimate_range([earlier[name] for earlier in past if name in earlier], settings)
        by_hour = estimate_range([other_day[name] for other_day in same_hour if name in other_day], settings)
        # Values of this hour on other days alone say nothing about today.
        if by_time is not None:
            ranges[name] = [expected for expected in (by_time, by_hour) if expected is not None]
    return ranges


def _worst_deviation(name: str, value: float, ranges: Sequence[ExpectedRange]) -> Deviation:
    nearest = min(ranges, key=lambda expected: expected.distance(value))
    return Deviation(name, value, nearest, nearest.distance(value))
