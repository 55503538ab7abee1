"""Detects whether a number rises or falls, and forecasts when it reaches a limit, with an interval.

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

MAX_POINTS = 150
"""Points that are used; more points are reduced to medians."""

MIN_POINTS = 8
"""Points that a trend needs at least."""

_SIGNIFICANCE_LEVEL = 0.05
_CONFIDENCE = 0.8
_Z80 = 1.2816
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Line:
    """A line: value = end_value + slope * (t - end). slope: per second, with its interval of 80 %.

    spread: by how much values lie beside the line, 8 of 10 of them less. points: how many it goes through.
    """

    end: float
    end_value: float
    slope: float
    slope_low: float
    slope_high: float
    spread: float
    points: int


@dataclass(frozen=True)
class Trend:
    """direction: up, down or flat. per_hour: slope. p_value: how likely such a trend is by chance."""

    direction: str
    per_hour: float
    p_value: float


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
    p_value: float
    points: int
    confidence: float = _CONFIDENCE


def downsample(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """Sort points by time; reduce too many points to the medians of stretches of equal length."""
    ordered = sorted(points)
    if len(ordered) <= max_points:
        return ordered
    start, end = ordered[0][0], ordered[-1][0]
    bucket_length = (end - start) / max_points or 1.0
    buckets: dict[int, list[Point]] = {}
    for time, value in ordered:
        buckets.setdefault(min(int((time - start) / bucket_length), max_points - 1), []).append((time, value))
    return [
        (median(time for time, _ in bucket), median(value for _, value in bucket))
        for bucket in buckets.values()
    ]


def detect_trend(points: Sequence[Point]) -> Trend | None:
    """Detect the trend over all points; None for fewer than MIN_POINTS."""
    sampled = downsample(points)
    if len(sampled) < MIN_POINTS:
        return None
    line = fit_line(sampled)
    p_value = mann_kendall_p_value(sampled, _residual_inflation(sampled, line))
    is_significant = p_value < _SIGNIFICANCE_LEVEL and line.slope != 0
    direction = "flat" if not is_significant else "up" if line.slope > 0 else "down"
    return Trend(direction, line.slope * _HOUR_S, p_value)


def mann_kendall_p_value(points: Sequence[Point], inflation: float = 1.0) -> float:
    """How likely a series without a trend goes up or down so clearly, 0 to 1.

    repeats: see `_repeats`; the variance is widened by it.
    """
    values = [value for _, value in points]
    score = sum(_sign_of(later - earlier) for earlier, later in combinations(values, 2))
    n = len(values)
    tied = sum(count * (count - 1) * (2 * count + 5) for count in _count_ties(values))
    variance = (n * (n - 1) * (2 * n + 5) - tied) / 18 * inflation
    if variance <= 0 or score == 0:
        return 1.0
    return erfc((abs(score) - 1) / sqrt(variance) / sqrt(2))


def _sign_of(number: float) -> int:
    return (number > 0) - (number < 0)


def _count_ties(values: Sequence[float]) -> list[int]:
    counts: dict[float, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return list(counts.values())


def fit_line(points: Sequence[Point]) -> Line:
    """Fit Theil and Sen's line to points in order of time. Raises ValueError if all have the same time."""
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
    end_value = median(value - slope * (time - end) for time, value in points)
    residuals = [value - end_value - slope * (time - end) for time, value in points]
    inflation = _variance_inflation(residuals)
    residual_sizes = sorted(abs(residual) for residual in residuals)
    return Line(
        end=end,
        end_value=end_value,
        slope=slope,
        slope_low=_slope_bound(slopes, len(points), inflation, -1),
        slope_high=_slope_bound(slopes, len(points), inflation, +1),
        spread=residual_sizes[min(len(residual_sizes) - 1, int(_CONFIDENCE * len(residual_sizes)))],
        points=len(points),
    )


def _residual_inflation(points: Sequence[Point], line: Line) -> float:
    return _variance_inflation(
        [value - line.end_value - line.slope * (time - line.end) for time, value in points]
    )


def _variance_inflation(residuals: Sequence[float]) -> float:
    """How many values that follow each other say as much as one that stands alone, 1 or more.

    One and twice the autocorrelations up to the first that is not positive (Geyer 1992). A line bends
    towards what it goes through, so that they come out too small; hence half of it on top.
    """
    mean = sum(residuals) / len(residuals)
    centered = [residual - mean for residual in residuals]
    sum_of_squares = sum(residual * residual for residual in centered)
    inflation = 1.0
    for lag in range(1, len(residuals) // 2):
        autocovariance = sum(
            current * lagged for current, lagged in zip(centered, centered[lag:], strict=False)
        )
        if autocovariance <= 0 or sum_of_squares <= 0:
            break
        inflation += 2 * autocovariance / sum_of_squares
    return 1 + 1.5 * (inflation - 1)


def _slope_bound(slopes: Sequence[float], n: int, inflation: float, side: int) -> float:
    """An end of the slope's interval: the slope so many ranks from the middle (Sen 1968)."""
    deviation = sqrt(n * (n - 1) * (2 * n + 5) / 18 * inflation)
    rank = (len(slopes) + side * _Z80 * deviation) / 2
    return slopes[min(max(round(rank) - (side < 0), 0), len(slopes) - 1)]


def forecast_limit(points: Sequence[Point], limit: float) -> Forecast | None:
    """When the line through the points reaches the limit.

    None where there are too few points, no trend, or one that leads away from the limit. Where the slope
    changed recently, only what came after counts.
    """
    stretch = select_recent_stretch(downsample(points))
    if len(stretch) < MIN_POINTS:
        return None
    line = fit_line(stretch)
    p_value = mann_kendall_p_value(stretch, _residual_inflation(stretch, line))
    signed_gap = limit - line.end_value
    if p_value >= _SIGNIFICANCE_LEVEL or signed_gap * line.slope <= 0:
        return None
    direction = 1 if signed_gap > 0 else -1
    gap, fast, slow = (
        abs(signed_gap),
        *sorted((direction * line.slope_high, direction * line.slope_low), reverse=True),
    )
    return Forecast(
        limit=limit,
        value=line.end_value,
        per_hour=line.slope * _HOUR_S,
        in_s=gap / abs(line.slope),
        earliest_s=max(0.0, gap - line.spread) / fast,
        latest_s=(gap + line.spread) / slow if slow > 0 else None,
        p_value=p_value,
        points=len(stretch),
    )


def select_recent_stretch(points: Sequence[Point]) -> Sequence[Point]:
    """The longest stretch up to the last point, of all, the last half, the last quarter, that one line fits.

    A line fits where the intervals of the slopes of both halves meet.
    """
    start, end = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    times = [time for time, _ in points]
    best = points
    for share in (1.0, 0.5, 0.25):
        stretch = points[bisect_left(times, end - share * (end - start)) :]
        if len(stretch) < 2 * MIN_POINTS:
            break
        best = stretch
        middle = len(stretch) // 2
        first, second = fit_line(stretch[:middle]), fit_line(stretch[middle:])
        if first.slope_low <= second.slope_high and second.slope_low <= first.slope_high:
            break
    return best
