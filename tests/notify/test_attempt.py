from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.model import Priority, Severity
from firstcause.core.notification import Notification, NotifyReason
from firstcause.errors import DeliveryError
from firstcause.hookspecs.types import Notifier
from firstcause.notify.attempt import (
    MAX_BACKOFF_S,
    MAX_RETRY_AFTER_S,
    AttemptResult,
    Retry,
    attempt,
    plan_retry,
)
from firstcause.notify.notifier_calls import NotifierCalls

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
SAID = Notification(
    id="12-1",
    incident_id="1",
    reason=NotifyReason.FIRST,
    priority=Priority.P0,
    severity=Severity.CRITICAL,
    code="A",
    title="t",
    text="text",
    body="body",
)


def notifier(send: Callable[[Notification], Any], timeout: float = 5.0) -> Notifier:
    return Notifier("sms", send, timeout=timeout)


def failing(error: BaseException) -> Notifier:
    def send(_said: Notification) -> str:
        raise error

    return notifier(send)


def try_once(sender: Notifier, said: Notification = SAID) -> AttemptResult:
    return attempt(NotifierCalls(), sender, said, NOW)


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


# attempt


def test_the_notification_arrives_and_the_receivers_word_comes_back() -> None:
    sent: list[Notification] = []

    def send(said: Notification) -> str:
        sent.append(said)
        return "SM1"

    assert try_once(notifier(send)) == AttemptResult(reference="SM1")
    assert sent == [SAID]


@pytest.mark.parametrize(("returned", "reference"), [(None, None), (42, "42"), (Unprintable(), None)])
def test_delivered_is_delivered_whatever_is_returned(returned: object, reference: str | None) -> None:
    assert try_once(notifier(lambda _said: returned)) == AttemptResult(reference=reference)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            DeliveryError("wrong number", permanent=True),
            AttemptResult(error="wrong number", permanent=True),
        ),
        (DeliveryError("busy", retry_after=7), AttemptResult(error="busy", retry_after=7)),
        (ConnectionError("refused"), AttemptResult(error="ConnectionError: refused", maybe_delivered=True)),
        (
            TimeoutError("read timed out"),
            AttemptResult(error="TimeoutError: read timed out", maybe_delivered=True),
        ),
        (UnprintableError(), AttemptResult(error="UnprintableError", maybe_delivered=True)),
        (
            SystemExit(2),
            AttemptResult(error="RuntimeError: notifier sms raised SystemExit: 2", maybe_delivered=True),
        ),
    ],
)
def test_what_is_raised_becomes_an_outcome(error: BaseException, outcome: AttemptResult) -> None:
    assert try_once(failing(error)) == outcome


@pytest.mark.parametrize("nonsense", ["soon", math.nan, [3]])
def test_a_wait_that_is_no_number_of_seconds_is_none(nonsense: Any) -> None:
    assert try_once(failing(DeliveryError("busy", retry_after=nonsense))).retry_after is None


def test_one_that_hangs_is_cut_off() -> None:
    release = threading.Event()
    started = time.monotonic()
    outcome = try_once(notifier(lambda _said: release.wait(20), timeout=0.1))
    assert time.monotonic() - started < 3
    release.set()
    assert outcome == AttemptResult(error="no answer within 0.1 s", maybe_delivered=True)


# after_failure


def after(outcome: AttemptResult, position: int, attempts: int) -> Retry | None:
    return plan_retry(outcome, position=position, attempts=attempts, notifiers=2, max_attempts=3)


AWAY = AttemptResult(error="away")


def test_the_wait_doubles_then_the_next_takes_over_at_once_then_we_give_up() -> None:
    assert after(AWAY, 0, 0) == Retry(1.0, 0, 1)
    assert after(AWAY, 0, 1) == Retry(2.0, 0, 2)
    assert after(AWAY, 0, 2) == Retry(0.0, 1, 0)
    assert after(AWAY, 1, 0) == Retry(1.0, 1, 1)
    assert after(AWAY, 1, 2) is None


def test_where_trying_again_cannot_help_the_next_takes_over_at_once() -> None:
    wrong = AttemptResult(error="wrong number", permanent=True, retry_after=30)
    assert after(wrong, 0, 0) == Retry(0.0, 1, 0)
    assert after(wrong, 1, 0) is None


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (30, 30),
        (300, 300),
        (0, 1),
        (-5, 1),
        (-math.inf, 1),
        (86400, MAX_RETRY_AFTER_S),
        (math.inf, MAX_RETRY_AFTER_S),
    ],
)
def test_the_receivers_wait_is_kept_within_reason(asked: float, wait: float) -> None:
    """0 is no busy loop, and years are not waited for."""
    busy = AttemptResult(error="busy", retry_after=asked)
    assert after(busy, 1, 0) == Retry(wait, 1, 1), "no other notifier is left"


def test_a_wait_does_not_shorten_our_own() -> None:
    assert after(AttemptResult(error="busy", retry_after=1), 1, 1) == Retry(2.0, 1, 2)


def test_the_next_takes_over_from_one_who_asks_for_long() -> None:
    assert after(AttemptResult(error="busy", retry_after=MAX_BACKOFF_S), 0, 0) == Retry(MAX_BACKOFF_S, 0, 1)
    assert after(AttemptResult(error="busy", retry_after=MAX_BACKOFF_S + 1), 0, 0) == Retry(0.0, 1, 0)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("Sun, 01 Nov 2026 03:02:00 GMT", 120),
        ("Sun Nov  1 03:00:10 2026", 10),
        ("Sat, 31 Oct 2026 03:00:00 GMT", 0),
        (NOW + timedelta(seconds=7), 7),
        (datetime(2026, 11, 1, 3, 0, 8), 8),  # noqa: DTZ001 - a plugin may give one
        (4.5, 4.5),
        ("1.5", None),
        ("-3", None),
        ("Sun, 99 Nov 2026 03:02:00 GMT", None),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_a_wait_may_be_seconds_a_time_or_the_text_of_the_header(asked: Any, seconds: float | None) -> None:
    assert try_once(failing(DeliveryError("busy", retry_after=asked))).retry_after == seconds


def test_a_message_in_doubt_is_looked_up_before_it_is_sent_again() -> None:
    sent: list[Notification] = []
    asked: list[Notification] = []
    again = SAID.model_copy(update={"maybe_repeat": True, "attempted_texts": ("text",)})

    def find(said: Notification, answers: list[Any]) -> Any:
        asked.append(said)
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def looking(answer: Any) -> Notifier:
        return Notifier("sms", sent.append, find_sent=lambda said: find(said, [answer]))

    assert try_once(looking("SM1"), again) == AttemptResult(reference="SM1", found=True)
    assert (sent, asked) == ([], [again])
    for unknown in (None, "", 7, OSError("away")):
        assert try_once(looking(unknown), again) == AttemptResult()
    assert len(sent) == 4, "what was not found is sent"
    asked.clear()
    try_once(looking("SM1"))
    assert (len(sent), asked) == (5, []), "nothing is in doubt"


def test_a_notifier_that_hangs_is_not_called_again_until_it_returns() -> None:
    release, calls = threading.Event(), NotifierCalls()
    made: list[int] = []

    def hang(_said: Notification) -> None:
        made.append(1)
        release.wait(20)

    hanging, before = notifier(hang, timeout=0.05), threading.active_count()
    for _ in range(10):
        assert attempt(calls, hanging, SAID, NOW).maybe_delivered
    assert (made, set(calls.list_hanging())) == ([1], {"sms"})
    assert threading.active_count() <= before + 1
    release.set()
    while calls.list_hanging():
        time.sleep(0.01)
    assert attempt(calls, hanging, SAID, NOW) == AttemptResult()


FAILURES = st.builds(
    lambda permanent, wait: try_once(failing(DeliveryError("no", permanent=permanent, retry_after=wait))),
    st.booleans(),
    st.none() | st.floats() | st.integers(-(10**6), 10**6),
)


@settings(max_examples=150)
@given(st.data(), st.integers(1, 6), st.integers(1, 12))
def test_every_sequence_of_failures_ends_in_giving_up(
    data: st.DataObject, notifiers: int, tries: int
) -> None:
    position, attempts, made, last = 0, 0, [0] * notifiers, False
    for _ in range(notifiers * tries + 1):
        outcome = data.draw(FAILURES)
        made[position] += 1
        again = plan_retry(
            outcome, position=position, attempts=attempts, notifiers=notifiers, max_attempts=tries
        )
        if again is None:
            last = True
            break
        assert 0.0 <= again.delay_s <= MAX_RETRY_AFTER_S
        assert again.position != position or again.delay_s >= 1.0
        assert again.position - position in (0, 1)
        assert again.attempts == (made[position] if again.position == position else 0)
        waits_long = (outcome.retry_after or 0) > MAX_BACKOFF_S
        assert again.position == position or outcome.permanent or waits_long or made[position] == tries
        position, attempts = again.position, again.attempts
    assert last, "the route goes on for ever"
    assert position == notifiers - 1, "given up with a notifier left untried"
    assert all(1 <= each <= tries for each in made)


@given(st.integers(1, 6), st.integers(1, 100))
def test_where_nothing_but_the_line_is_bad_every_notifier_has_all_its_tries(
    notifiers: int, tries: int
) -> None:
    again: Retry | None = Retry(0.0, 0, 0)
    made = 0
    while again is not None:
        made += 1
        again = plan_retry(
            AWAY, position=again.position, attempts=again.attempts, notifiers=notifiers, max_attempts=tries
        )
        assert again is None or math.isfinite(again.delay_s)
    assert made == notifiers * tries
