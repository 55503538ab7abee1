"""Whether a number rises or falls, and when it will reach a limit, with an interval.

Mann-Kendall's test (Mann 1945, Kendall 1975, with ties) says whether there is a trend at all, Theil and
Sen's slope (Sen 1968) how steep it is; neither cares for outliers. Values that follow each other are
alike, which makes both too sure of themselves, so their variance is widened by the autocorrelation of
what the line leaves over (as Hamed and Rao 1998 do). The interval of a
forecast is that of the slope and of what the line leaves over, both to 80 %.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import combinations
from math import erfc, sqrt
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]
"""Seconds since any fixed moment, and the value then."""

MOST = 150
"""Points that are looked at: more are drawn together into so many medians."""

FEWEST = 8
"""Below so many points nothing is said."""

_SIGNIFICANT = 0.05
_CONFIDENCE = 0.8
_Z80 = 1.2816
_HOUR = 3600.0


@dataclass(frozen=True)
class Line:
    """value = at_end + slope * (t - end). slope: per second, with its interval of 80 %.

    spread: by how much values lie beside the line, 8 of 10 of them less. points: how many it goes through.
    """

    end: float
    at_end: float
    slope: float
    slowest: float
    fastest: float
    spread: float
    points: int


@dataclass(frozen=True)
class Trend:
    """direction: up, down or flat. per_hour: slope. chance: how likely so much of a trend is mere chance."""

    direction: str
    per_hour: float
    chance: float


@dataclass(frozen=True)
class Forecast:
    """When the limit is reached: seconds from the last point on. latest: None where it may never be.

    confidence: how often the true moment lies between earliest and latest.
    """

    limit: float
    value: float
    per_hour: float
    in_s: float
    earliest_s: float
    latest_s: float | None
    chance: float
    points: int
    confidence: float = _CONFIDENCE


def thinned(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """The points in order of time; where they are too many, the medians of stretches of equal length."""
    ordered = sorted(points)
    if len(ordered) <= most:
        return ordered
    start, end = ordered[0][0], ordered[-1][0]
    stretch = (end - start) / most or 1.0
    found: dict[int, list[Point]] = {}
    for at, value in ordered:
        found.setdefault(min(int((at - start) / stretch), most - 1), []).append((at, value))
    return [(median(at for at, _ in each), median(value for _, value in each)) for each in found.values()]


def trend(points: Sequence[Point]) -> Trend | None:
    """The trend over all points, None where they are fewer than FEWEST."""
    seen = thinned(points)
    if len(seen) < FEWEST:
        return None
    line = fitted(seen)
    chance = kendall(seen, _repeated(seen, line))
    sure = chance < _SIGNIFICANT and line.slope != 0
    direction = "flat" if not sure else "up" if line.slope > 0 else "down"
    return Trend(direction, line.slope * _HOUR, chance)


def kendall(points: Sequence[Point], repeats: float = 1.0) -> float:
    """How likely a series without a trend goes up or down so clearly, 0 to 1.

    repeats: see `_repeats`; the variance is widened by it.
    """
    values = [value for _, value in points]
    score = sum(_sign(later - earlier) for earlier, later in combinations(values, 2))
    n = len(values)
    tied = sum(count * (count - 1) * (2 * count + 5) for count in _counts(values))
    variance = (n * (n - 1) * (2 * n + 5) - tied) / 18 * repeats
    if variance <= 0 or score == 0:
        return 1.0
    return erfc((abs(score) - 1) / sqrt(variance) / sqrt(2))


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _counts(values: Sequence[float]) -> list[int]:
    counted: dict[float, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    return list(counted.values())


def fitted(points: Sequence[Point]) -> Line:
    """Theil and Sen's line through points in order of time. ValueError where all are of one moment."""
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(points, 2)
        if later[0] > earlier[0]
    )
    if not slopes:
        msg = "a line needs points of two moments"
        raise ValueError(msg)
    slope = median(slopes)
    end = points[-1][0]
    at_end = median(value - slope * (at - end) for at, value in points)
    left = [value - at_end - slope * (at - end) for at, value in points]
    repeats = _repeats(left)
    off = sorted(abs(each) for each in left)
    return Line(
        end=end,
        at_end=at_end,
        slope=slope,
        slowest=_slope_at(slopes, len(points), repeats, -1),
        fastest=_slope_at(slopes, len(points), repeats, +1),
        spread=off[min(len(off) - 1, int(_CONFIDENCE * len(off)))],
        points=len(points),
    )


def _repeated(points: Sequence[Point], line: Line) -> float:
    return _repeats([value - line.at_end - line.slope * (at - line.end) for at, value in points])


def _repeats(left: Sequence[float]) -> float:
    """How many values that follow each other say as much as one that stands alone, 1 or more.

    One and twice the autocorrelations up to the first that is not positive (Geyer 1992). A line bends
    towards what it goes through, so that they come out too small; hence half of it on top.
    """
    mean = sum(left) / len(left)
    centred = [each - mean for each in left]
    whole = sum(each * each for each in centred)
    found = 1.0
    for lag in range(1, len(left) // 2):
        together = sum(one * other for one, other in zip(centred, centred[lag:], strict=False))
        if together <= 0 or whole <= 0:
            break
        found += 2 * together / whole
    return 1 + 1.5 * (found - 1)


def _slope_at(slopes: Sequence[float], n: int, repeats: float, side: int) -> float:
    """An end of the slope's interval: the slope so many ranks from the middle (Sen 1968)."""
    deviation = sqrt(n * (n - 1) * (2 * n + 5) / 18 * repeats)
    rank = (len(slopes) + side * _Z80 * deviation) / 2
    return slopes[min(max(round(rank) - (side < 0), 0), len(slopes) - 1)]


def forecast(points: Sequence[Point], limit: float) -> Forecast | None:
    """When the line through the points reaches the limit.

    None where there are too few points, no trend, or one that leads away from the limit. Where the slope
    changed of late, only what came after counts.
    """
    seen = recent(thinned(points))
    if len(seen) < FEWEST:
        return None
    line = fitted(seen)
    chance = kendall(seen, _repeated(seen, line))
    missing = limit - line.at_end
    if chance >= _SIGNIFICANT or missing * line.slope <= 0:
        return None
    towards = 1 if missing > 0 else -1
    gap, fast, slow = abs(missing), *sorted((towards * line.fastest, towards * line.slowest), reverse=True)
    return Forecast(
        limit=limit,
        value=line.at_end,
        per_hour=line.slope * _HOUR,
        in_s=gap / abs(line.slope),
        earliest_s=max(0.0, gap - line.spread) / fast,
        latest_s=(gap + line.spread) / slow if slow > 0 else None,
        chance=chance,
        points=len(seen),
    )


def recent(points: Sequence[Point]) -> Sequence[Point]:
    """The longest stretch up to the last point, of all, the last half, the last quarter, that one line fits.

    A line fits where the intervals of the slopes of both halves meet.
    """
    start, end = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    moments = [at for at, _ in points]
    best = points
    for share in (1.0, 0.5, 0.25):
        stretch = points[bisect_left(moments, end - share * (end - start)) :]
        if len(stretch) < 2 * FEWEST:
            break
        best = stretch
        middle = len(stretch) // 2
        first, second = fitted(stretch[:middle]), fitted(stretch[middle:])
        if first.slowest <= second.fastest and second.slowest <= first.fastest:
            break
    return best
