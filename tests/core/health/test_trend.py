"""Trends and forecasts on made series, of which the truth is known."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.health.trend import (
    MIN_POINTS,
    Point,
    detect_trend,
    downsample,
    fit_line,
    forecast_limit,
    mann_kendall_p_value,
    select_recent_stretch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0
VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=MIN_POINTS, max_size=40)


def series(values: list[float], step: float = 300.0) -> list[Point]:
    return [(number * step, value) for number, value in enumerate(values)]


@given(VALUES)
def test_the_order_in_which_points_come_is_nothing_to_it(values: list[float]) -> None:
    points = series(values)
    assert detect_trend(points) == detect_trend(points[::-1])


@given(VALUES, st.floats(0.01, 100), st.floats(-1e6, 1e6))
def test_other_units_change_the_slope_and_nothing_else(
    values: list[float], scale: float, shift: float
) -> None:
    one, other = (
        detect_trend(series(values)),
        detect_trend(series([value * scale + shift for value in values])),
    )
    assert one is not None
    assert other is not None
    if len({round(value * scale + shift, 6) for value in values}) == len(set(values)):
        assert other.per_hour == pytest.approx(one.per_hour * scale, rel=1e-3, abs=1e-2 * scale)


@given(VALUES)
def test_upside_down_it_goes_the_other_way(values: list[float]) -> None:
    one, other = detect_trend(series(values)), detect_trend(series([-value for value in values]))
    assert one is not None
    assert other is not None
    assert other.per_hour == pytest.approx(-one.per_hour)
    assert other.p_value == pytest.approx(one.p_value)


def test_what_does_not_change_has_no_trend_and_no_forecast() -> None:
    flat = series([4.0] * 50)
    found = detect_trend(flat)
    assert found is not None
    assert (found.direction, found.per_hour, found.p_value) == ("flat", 0, 1)
    assert forecast_limit(flat, 10) is None


def test_few_points_say_nothing() -> None:
    assert detect_trend(series([1, 2, 3])) is None
    assert forecast_limit(series([1, 2, 3]), 10) is None
    assert detect_trend([]) is None


def test_a_straight_line_is_found_as_it_is() -> None:
    found = forecast_limit(series([10 + number for number in range(60)], step=60), 100)
    assert found is not None
    assert [found.value, found.per_hour, found.in_s] == pytest.approx([69, 60, 1860])
    assert found.earliest_s == pytest.approx(1860)
    assert found.latest_s == pytest.approx(1860)


def test_away_from_the_limit_it_is_never_reached() -> None:
    assert forecast_limit(series([float(number) for number in range(60)]), -5) is None


def test_outliers_do_not_bend_it() -> None:
    values = [float(number) for number in range(60)]
    values[7] = values[31] = 1e9
    found = forecast_limit(series(values, step=60), 100)
    assert found is not None
    assert found.in_s == pytest.approx(41 * 60, rel=0.05)


def test_after_a_bend_only_what_came_after_counts() -> None:
    values = [0.0] * 100 + [float(number) for number in range(60)]
    found = forecast_limit(series(values, step=60), 100)
    assert found is not None
    assert found.in_s == pytest.approx(41 * 60, rel=0.1)
    assert len(select_recent_stretch(series(values))) < 100


def test_gaps_and_many_points_of_one_moment_do_no_harm() -> None:
    points = [(at, at / 60) for at in (0.0, 60.0, 60.0, 60.0, 7200.0, 7260.0, 9000.0, 9000.0, 9060.0, 9120.0)]
    found = forecast_limit(points, 200)
    assert found is not None
    assert found.in_s == pytest.approx(2880, rel=0.01)
    with pytest.raises(ValueError, match="two moments"):
        fit_line([(5.0, 1.0), (5.0, 2.0)])


@given(st.lists(st.tuples(st.floats(0, 1e7), st.floats(-10, 10)), max_size=600))
@settings(max_examples=30)
def test_thinned_it_is_in_order_and_within_what_it_was(points: list[Point]) -> None:
    found = downsample(points)
    assert found == sorted(found)
    assert len(found) <= max(150, 0)
    assert all(min(v for _, v in points) <= value <= max(v for _, v in points) for _, value in found)


def test_noise_is_called_a_trend_about_as_seldom_as_it_says() -> None:
    chance = random.Random(3)
    alarms = sum(
        mann_kendall_p_value(series([chance.gauss(0, 1) for _ in range(60)])) < 0.05 for _ in range(400)
    )
    assert 5 <= alarms <= 40


def _plain(hours: float, noise: float, chance: random.Random) -> float:
    return chance.gauss(0, noise)


def _ripple(hours: float, noise: float, chance: random.Random) -> float:
    return noise * math.sin(2 * math.pi * hours / 24) + chance.gauss(0, noise / 3)


def _wild(hours: float, noise: float, chance: random.Random) -> float:
    return chance.gauss(0, noise / 3) + (noise * 20 if chance.random() < 0.02 else 0)


@pytest.mark.parametrize(
    "shape", [_plain, _ripple, _wild, None], ids=["noise", "daily ripple", "outliers", "stairs"]
)
def test_the_interval_has_the_true_moment_in_it_at_least_eight_times_of_ten(
    shape: Callable[[float, float, random.Random], float] | None,
) -> None:
    chance = random.Random(11)
    hits = said = 0
    for _ in range(60):
        hours = chance.choice([48, 72, 96])
        start, limit = chance.uniform(0, 20), 100.0
        slope = (limit - start) * chance.uniform(0.4, 0.9) / hours
        noise = chance.uniform(0.1, 6)
        points = []
        for number in range(hours * 4):
            at = number / 4
            if shape is None:
                value = start + slope * math.floor(at) + chance.gauss(0, noise / 5)
            else:
                value = start + slope * at + shape(at, noise, chance)
            points.append((at * HOUR, value))
        crossing = (limit - start) / slope
        true = (math.ceil(crossing) if shape is None else crossing) * HOUR - points[-1][0]
        found = forecast_limit(points, limit)
        if found is not None:
            said += 1
            hits += found.earliest_s <= true and (found.latest_s is None or true <= found.latest_s)
    assert said >= 55
    assert hits >= 0.8 * said
