"""What one receiver knows, as messages reach it or do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.notification import NotifyReason
from firstcause.core.notify.receiver import (
    MAX_ATTEMPTS_KEPT,
    Attempt,
    Knowledge,
    ReceiverState,
    begin_attempt,
    find_repeated_attempts,
    may_think_open,
    merge_states,
    record_delivered,
    record_failed,
    record_late_failure,
)

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
FIRST, RESOLVED, REMINDER = NotifyReason.FIRST, NotifyReason.RESOLVED, NotifyReason.REMINDER
OPEN = ReceiverState(Knowledge.OPEN, "fault")


def begin(state: ReceiverState, reason: NotifyReason, message_id: int = 1, second: int = 0) -> ReceiverState:
    return begin_attempt(state, Attempt(message_id, reason, START + timedelta(seconds=second), "text"))


def fail(state: ReceiverState, *, maybe_delivered: bool = False, refused: str | None = None) -> ReceiverState:
    return record_failed(state, 1, maybe_delivered=maybe_delivered, refused=refused, receipts={})


def test_who_may_think_that_it_is_open() -> None:
    nothing = ReceiverState()
    assert not may_think_open(nothing)
    assert may_think_open(begin(nothing, FIRST)), "under way"
    assert not may_think_open(fail(begin(nothing, FIRST)))
    assert may_think_open(fail(begin(nothing, FIRST), maybe_delivered=True))
    assert may_think_open(record_delivered(FIRST, "fault"))
    assert may_think_open(begin(OPEN, RESOLVED)), "the end may not have arrived"
    assert not may_think_open(record_delivered(RESOLVED, "fault"))
    assert may_think_open(begin(record_delivered(RESOLVED, "fault"), FIRST)), "it is back"


def test_what_a_message_repeats() -> None:
    doubtful = begin(ReceiverState(), FIRST, message_id=1)
    assert len(find_repeated_attempts(doubtful, 1, FIRST)) == 1
    assert len(find_repeated_attempts(doubtful, 2, FIRST)) == 1, "queued again after a silence"
    assert find_repeated_attempts(doubtful, 2, RESOLVED) == ()
    reminded = begin(OPEN, REMINDER, message_id=3)
    assert find_repeated_attempts(reminded, 4, REMINDER) == (), "a later reminder says something else"
    assert len(find_repeated_attempts(reminded, 3, REMINDER)) == 1


def test_receipts_are_those_of_one_message_and_kept_until_it_is_delivered() -> None:
    partly = record_failed(
        begin(OPEN, REMINDER), 1, maybe_delivered=False, refused=None, receipts={"ann": "SM1"}
    )
    assert (partly.receipts_for, partly.receipts) == (1, {"ann": "SM1"})
    assert fail(begin(partly, REMINDER)).receipts == {"ann": "SM1"}
    other = record_failed(begin(partly, RESOLVED, 2), 2, maybe_delivered=False, refused=None, receipts={})
    assert (other.receipts_for, other.receipts) == (None, {})


def test_a_message_that_failed_later_was_not_told() -> None:
    assert record_late_failure(OPEN, FIRST, "30007", is_told_otherwise=False).knows is None
    assert record_late_failure(OPEN, FIRST, "30007", is_told_otherwise=True).knows is Knowledge.OPEN
    over = record_delivered(RESOLVED, "fault")
    assert record_late_failure(over, RESOLVED, "30007", is_told_otherwise=False).knows is Knowledge.OPEN
    assert record_late_failure(over, FIRST, "30007", is_told_otherwise=False).knows is Knowledge.RESOLVED


@given(st.integers(1, 3 * MAX_ATTEMPTS_KEPT))
def test_the_first_attempt_in_doubt_and_the_latest_ones_are_kept(count: int) -> None:
    state = ReceiverState()
    for second in range(count):
        state = begin(state, FIRST, second=second)
    assert len(state.attempts) == min(count, MAX_ATTEMPTS_KEPT)
    assert state.attempts[0].at == START
    assert state.attempts[-1].at == START + timedelta(seconds=count - 1)


STATES = st.builds(
    ReceiverState,
    st.none() | st.sampled_from(Knowledge),
    st.none() | st.just("fault"),
    st.lists(
        st.builds(
            Attempt, st.integers(1, 9), st.sampled_from((FIRST, RESOLVED)), st.just(START), st.just("text")
        ),
        max_size=3,
    ).map(tuple),
)


@given(STATES, STATES)
def test_who_thinks_that_one_of_two_is_open_thinks_so_of_both(
    first: ReceiverState, second: ReceiverState
) -> None:
    merged = merge_states(first, second)
    assert may_think_open(merged) == (may_think_open(first) or may_think_open(second))
