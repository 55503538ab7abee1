from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.health.outlier import Outlier, OutlierDetector, OutlierSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = OutlierSettings(window=20, fewest=5, beyond=0.1, floor=0.0, over=4, rest=6)


def run(values: Sequence[float], reach: OutlierSettings = SMALL) -> list[int]:
    extremes = OutlierDetector(reach)
    return [at for at, value in enumerate(values) if extremes.detect(value) is not None]


def test_a_value_beyond_all_that_was_is_told_with_the_range_that_it_left() -> None:
    extremes = OutlierDetector(SMALL)
    assert [extremes.detect(value) for value in (10, 20, 15, 12, 18, 20.5)] == [None] * 6, "less than a tenth"
    assert extremes.detect(31) == Outlier(value=31, low=10, high=20.5, score=1.0)


def test_lower_than_ever_counts_as_well() -> None:
    assert run([10, 20, 15, 12, 18, 2]) == [5]


def test_too_little_is_known_at_first() -> None:
    assert run([1, 1, 1, 1, 99]) == []


def test_a_climb_is_told_once_and_again_after_the_rest() -> None:
    assert run([1, 2, 1, 2, 1, *(10.0 * 2**n for n in range(8))]) == [5, 12]


def test_what_left_the_window_is_forgotten() -> None:
    quiet = [1.0, 2.0] * 10
    assert run([*quiet, 50, *quiet, 1, 2, 50]) == [20, 43]
    assert run([*quiet, 50, *quiet[:10], 50]) == [20]


def test_a_mean_as_never_before_tells_of_what_stays_at_the_edge() -> None:
    assert run([0, 10] * 6 + [10, 10, 10, 10]) == [12]


def test_a_number_that_never_moved_may_move_a_little() -> None:
    reach = OutlierSettings(window=20, fewest=5, beyond=0.1, floor=0.2, over=4, rest=6)
    assert run([100.0] * 9 + [101], reach) == []
    assert run([100.0] * 9 + [110], reach) == [9]


@given(st.lists(st.integers(-1000, 1000), max_size=120))
def test_the_edges_are_those_of_the_window(values: list[int]) -> None:
    reach = OutlierSettings(window=10, fewest=1, beyond=0.0001, floor=0.0, over=1, rest=0)
    told = run([float(value) for value in values], reach)
    slow = [
        at
        for at in range(1, len(values))
        for window in [values[max(0, at - 10) : at]]
        if not min(window) <= values[at] <= max(window)
    ]
    assert told == slow


@given(st.lists(st.floats(-1e6, 1e6), max_size=200), st.integers(0, 30))
def test_it_never_speaks_twice_within_its_rest(values: list[float], rest: int) -> None:
    told = run(values, OutlierSettings(window=20, fewest=5, rest=rest))
    assert all(later - earlier > rest for earlier, later in pairwise(told))
