"""Whether a root flaps, judged by the times at which it began and ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.downtime import Downtime
from firstcause.core.incidents.flapping import (
    MAX_TRANSITIONS,
    FlapPolicy,
    Settled,
    assess_flapping,
    describe_flapping,
    find_settled,
    record_transition,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.core.model import Flapping, Transition

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
POLICY = FlapPolicy()

durations = st.floats(min_value=1, max_value=POLICY.calm - 1)


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Signal:
    """A root that is switched on and off; assessed at each switch and in between."""

    def __init__(self) -> None:
        self.now = 0.0
        self.transitions: tuple[Transition, ...] = ()
        self.flapping: Flapping | None = None
        self.onsets = 0

    def hold(self, seconds: float, *, on: bool) -> None:
        self.onsets += on and not (self.transitions and self.transitions[-1].firing)
        self.transitions = record_transition(self.transitions, time(self.now), firing=on)
        self.assess()
        self.now += seconds
        self.assess()

    def assess(self) -> None:
        self.flapping = assess_flapping(self.transitions, self.flapping, POLICY, time(self.now))


def play(phases: Sequence[tuple[float, float]]) -> Signal:
    signal = Signal()
    for on_s, off_s in phases:
        signal.hold(on_s, on=True)
        signal.hold(off_s, on=False)
    return signal


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=20), st.booleans())
def test_a_steady_signal_never_flaps(durations_s: list[float], on: bool) -> None:
    signal = Signal()
    for seconds in durations_s:
        signal.hold(seconds, on=on)
        assert signal.flapping is None


@given(st.lists(st.tuples(st.floats(POLICY.window, 1e6), st.floats(1, 1e6)), max_size=10))
def test_outages_that_are_far_apart_are_not_flapping(phases: list[tuple[float, float]]) -> None:
    assert play(phases).flapping is None


@given(
    st.floats(5, 300),
    st.floats(5, 300),
    st.integers(3, 100),
    st.lists(st.floats(-0.1, 0.1), min_size=200, max_size=200),
)
def test_the_rhythm_is_right_within_the_jitter(
    on_s: float, off_s: float, times: int, jitter: list[float]
) -> None:
    phases = [(on_s * (1 + jitter[2 * index]), off_s * (1 + jitter[2 * index + 1])) for index in range(times)]
    flapping = play(phases).flapping
    assert flapping is not None
    assert flapping.times == times
    assert flapping.period_s == pytest.approx(on_s + off_s, rel=0.11)
    assert flapping.on_s == pytest.approx(on_s, rel=0.11)


@given(st.lists(st.tuples(durations, durations), min_size=1, max_size=60))
def test_every_beginning_counts_and_the_list_stays_short(phases: list[tuple[float, float]]) -> None:
    signal = play(phases)
    assert len(signal.transitions) <= MAX_TRANSITIONS
    if signal.flapping is not None:
        assert 3 <= signal.flapping.times <= signal.onsets
        assert signal.flapping.since <= signal.flapping.last_onset


@given(st.lists(st.tuples(durations, durations), min_size=3, max_size=10), st.booleans())
def test_what_holds_still_for_long_no_longer_flaps(phases: list[tuple[float, float]], on: bool) -> None:
    signal = play(phases)
    signal.hold(max(POLICY.calm, POLICY.steady), on=on)
    assert signal.flapping is None
    settled = find_settled(signal.transitions, POLICY, time(signal.now))
    assert settled is (Settled.STEADY if on else Settled.CALM)


def test_the_third_beginning_makes_it_flap() -> None:
    assert play([(50, 50)] * 2).flapping is None
    flapping = play([(50, 50)] * 3).flapping
    assert flapping is not None
    assert describe_flapping(flapping) == "3 times in 3 min 20 s, about every 100 s, on for 50 s"


def test_a_downtime_does_not_count_as_holding_still() -> None:
    signal = play([(50, 50)] * 4)
    policy = replace(POLICY, downtimes=(Downtime(time(signal.now), time(signal.now + 7200)),))
    later = signal.now + 7200
    assert find_settled(signal.transitions, POLICY, time(later)) is Settled.CALM
    assert find_settled(signal.transitions, policy, time(later)) is None
    assert find_settled(signal.transitions, policy, time(later + POLICY.calm)) is Settled.CALM


def test_a_clock_that_is_set_back_does_not_keep_it_flapping() -> None:
    signal = play([(50, 50)] * 4)
    assert assess_flapping(signal.transitions, signal.flapping, POLICY, time(-7200)) is None
