from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.health.probe_schedule import Schedule, compute_offset
from firstcause.hookspecs.types import Probe


def probe(name: str, interval: float = 60.0, jitter: float = 0.1) -> Probe:
    return Probe(name, name, lambda: Reading(status=Status.UP), "CODE", interval=interval, jitter=jitter)


def schedule(*probes: Probe) -> Schedule:
    return Schedule({each.name: each for each in probes}, suspect_gap=5.0)


def runs(made: Schedule, seconds: float, step: float) -> dict[str, list[float]]:
    """When each ran, looked at every `step` seconds."""
    found: dict[str, list[float]] = {name: [] for name in made.probes}
    for number in range(int(seconds / step)):
        now = 1000 + number * step
        due = made.list_due(now)
        made.mark_started(due, now)
        for name in due:
            found[name].append(now)
    return found


@given(st.floats(0, 0.5), st.text(min_size=1))
@settings(max_examples=40)
def test_each_keeps_to_its_interval_give_or_take_its_jitter(jitter: float, name: str) -> None:
    moments = runs(schedule(probe(name, 60, jitter)), 3600, 1.0)[name]
    waits = [later - earlier for earlier, later in pairwise(moments[1:])]
    assert all(60 * (1 - jitter) - 1.01 <= wait <= 60 * (1 + jitter) + 1.01 for wait in waits)
    assert 59 <= len(moments) <= 62


def test_the_first_run_is_at_once_and_later_ones_are_spread_over_the_interval() -> None:
    moments = runs(schedule(*(probe(f"probe {n}", 10, 0.1) for n in range(200))), 60, 0.1)
    assert {each[0] for each in moments.values()} == {1000}
    together = Counter(round(each, 1) for times in moments.values() for each in times if each > 1020)
    assert max(together.values()) < 20


def test_two_starts_of_the_program_have_the_same_moments() -> None:
    assert compute_offset("redis") == compute_offset("redis") != compute_offset("main")
    one, other = (runs(schedule(probe("redis")), 600, 1.0) for _ in range(2))
    assert one == other


def test_what_was_missed_while_the_machine_slept_is_not_made_up_for() -> None:
    made = schedule(probe("redis", 60, 0))
    made.mark_started(made.list_due(0), 0)
    assert made.list_due(10_000) == ["redis"]
    made.mark_started(["redis"], 10_000)
    assert made.list_due(10_001) == []
    assert made.compute_wait(10_001, 1000) <= 60


def test_a_suspected_one_runs_ahead_of_its_time_but_not_all_the_time() -> None:
    made = schedule(probe("redis", 3600), probe("main", 3600))
    made.mark_started(made.list_due(0), 0)
    assert made.list_due(4, {"redis", "unknown"}) == []
    assert made.list_due(6, {"redis"}) == ["redis"]
    made.mark_started(["redis"], 6)
    assert made.list_due(7, {"redis"}) == []


def test_how_long_to_wait() -> None:
    made = schedule(probe("redis", 60, 0))
    assert made.compute_wait(0, 0.5) == 0.5
    made.mark_started(made.list_due(0), 0)
    assert made.compute_wait(0, 1000) == pytest.approx(60 * (1 - compute_offset("redis") / 2))
    assert made.compute_wait(500, 1000) == 0


def test_a_second_look_comes_early_and_leaves_the_other_moments_as_they_are() -> None:
    without, made = schedule(probe("redis", 60, 0)), schedule(probe("redis", 60, 0))
    for each in (without, made):
        each.mark_started(each.list_due(1000), 1000)
    made.add_second_looks(["redis"], 1005)
    assert made.compute_wait(1000, 60) == 5
    assert made.list_due(1004.9) == []
    assert made.list_due(1005) == ["redis"]
    made.mark_started(["redis"], 1005)
    assert made.list_due(1006) == []
    assert made.compute_wait(1006, 60) == without.compute_wait(1006, 60)


def test_a_look_that_is_due_sooner_is_the_second_look() -> None:
    made = schedule(probe("redis", 2, 0))
    made.mark_started(made.list_due(1000), 1000)
    made.add_second_looks(["redis"], 1005)
    assert made.list_due(1002) == ["redis"]
    made.mark_started(["redis"], 1002)
    assert made.compute_wait(1002, 60) <= 2
