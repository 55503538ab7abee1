from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.health.baseline import (
    BaselineSettings,
    ExpectedRange,
    deviation_score,
    estimate_range,
    score_deviation,
)

NORMAL = BaselineSettings()
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))


def noise(chance: random.Random, points: int, **centres: float) -> list[dict[str, float]]:
    return [
        {name: centre + chance.gauss(0, abs(centre) * 0.1) for name, centre in centres.items()}
        for _ in range(points)
    ]


def test_too_little_says_nothing() -> None:
    assert estimate_range([1.0] * 14, NORMAL) is None
    assert score_deviation([], [], NORMAL) is None
    assert score_deviation([{"cpu": 1.0}] * 15, [], NORMAL) is None
    assert score_deviation([{}] * 40, [], NORMAL) is None


@given(st.lists(NUMBERS, min_size=15, max_size=60))
def test_the_middle_of_what_came_before_is_never_off(history: list[float]) -> None:
    found = estimate_range(history, NORMAL)
    assert found is not None
    assert found.distance(found.center) == 0
    assert found.spread > 0
    assert estimate_range(sorted(history), NORMAL) == found


@given(st.lists(NUMBERS, min_size=15, max_size=40), NUMBERS, st.integers(-3, 3).map(lambda power: 2.0**power))
def test_other_units_change_nothing(history: list[float], value: float, scale: float) -> None:
    one, other = estimate_range(history, NORMAL), estimate_range([each * scale for each in history], NORMAL)
    assert one is not None
    assert other is not None
    if one.spread > 1e-6:
        assert other.distance(value * scale) == pytest.approx(one.distance(value), rel=1e-6)


@given(st.dictionaries(st.text("abc", min_size=1), NUMBERS, min_size=1, max_size=5), st.integers(16, 60))
def test_what_never_changes_is_never_unusual(point: dict[str, float], points: int) -> None:
    found = score_deviation([point] * points, [], NORMAL)
    assert found is not None
    assert (found.score, found.worst) == (0, ())


def test_noise_is_usual_and_a_jump_of_several_numbers_is_not() -> None:
    chance = random.Random(4)
    points = noise(chance, 130, cpu=20, latency=50, memory=300, errors=5)
    quiet = score_deviation(points, [], NORMAL)
    assert quiet is not None
    assert quiet.score < NORMAL.score
    points += [
        each | {"cpu": 90.0, "latency": 400.0} for each in noise(chance, 3, cpu=20, latency=50, memory=300)
    ]
    loud = score_deviation(points, [], NORMAL)
    assert loud is not None
    assert loud.score > NORMAL.score
    assert [each.name for each in loud.worst[:2]] == ["latency", "cpu"]
    assert loud.worst[0].value == 400
    assert 40 < loud.worst[0].expected.center < 60


def test_one_outlier_of_one_number_is_not_enough() -> None:
    points = noise(random.Random(5), 130, cpu=20, latency=50, memory=300)
    found = score_deviation([*points, points[-1] | {"latency": 5000.0}], [], NORMAL)
    assert found is not None
    assert found.score < NORMAL.score


def test_outliers_of_the_past_do_not_widen_what_is_normal() -> None:
    history = [float(number % 7) for number in range(100)]
    spoilt = history[:-5] + [1e6] * 5
    clean, found = estimate_range(history, NORMAL), estimate_range(spoilt, NORMAL)
    assert clean is not None
    assert found is not None
    assert found.spread < 3 * clean.spread


def test_what_is_usual_at_this_hour_is_not_unusual() -> None:
    chance = random.Random(6)
    night, morning = noise(chance, 120, orders=10, load=1), noise(chance, 60, orders=900, load=40)
    surprised = score_deviation([*night, *morning[:3]], [], NORMAL)
    expected = score_deviation([*night, *morning[:3]], morning[3:], NORMAL)
    assert surprised is not None
    assert expected is not None
    assert surprised.score > NORMAL.score > expected.score


def test_one_number_tells_only_so_much_and_chance_is_taken_off() -> None:
    ranges = {"a": [ExpectedRange(0, 1)], "b": [ExpectedRange(0, 1)]}
    assert deviation_score({"a": 1e9, "b": 0}, ranges, NORMAL) == pytest.approx((100 - 2) ** 0.5)
    assert deviation_score({"a": 1, "b": 1}, ranges, NORMAL) == 0
    assert deviation_score({"a": 5, "unknown": 1e9}, ranges, NORMAL) == pytest.approx(24**0.5)
