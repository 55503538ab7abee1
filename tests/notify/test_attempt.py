from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.core.model import Notification, NotifyReason, Priority, Severity
from firstcause.errors import DeliveryError
from firstcause.hookspecs.types import Notifier
from firstcause.notify.attempt import MAX_BACKOFF_S, AttemptResult, Retry, attempt, plan_retry

if TYPE_CHECKING:
    from collections.abc import Callable

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

    assert attempt(notifier(send), SAID) == AttemptResult(reference="SM1")
    assert sent == [SAID]


@pytest.mark.parametrize(("returned", "reference"), [(None, None), (42, "42"), (Unprintable(), None)])
def test_delivered_is_delivered_whatever_is_returned(returned: object, reference: str | None) -> None:
    assert attempt(notifier(lambda _said: returned), SAID) == AttemptResult(reference=reference)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            DeliveryError("wrong number", permanent=True),
            AttemptResult(error="wrong number", permanent=True),
        ),
        (DeliveryError("busy", retry_after=7), AttemptResult(error="busy", retry_after=7)),
        (ConnectionError("refused"), AttemptResult(error="ConnectionError: refused")),
        (TimeoutError("read timed out"), AttemptResult(error="TimeoutError: read timed out")),
        (UnprintableError(), AttemptResult(error="UnprintableError")),
        (SystemExit(2), AttemptResult(error="RuntimeError: notifier sms raised SystemExit: 2")),
    ],
)
def test_what_is_raised_becomes_an_outcome(error: BaseException, outcome: AttemptResult) -> None:
    assert attempt(failing(error), SAID) == outcome


@pytest.mark.parametrize("nonsense", ["soon", math.nan, [3]])
def test_a_wait_that_is_no_number_of_seconds_is_none(nonsense: Any) -> None:
    assert attempt(failing(DeliveryError("busy", retry_after=nonsense)), SAID).retry_after is None


def test_one_that_hangs_is_cut_off() -> None:
    release = threading.Event()
    started = time.monotonic()
    outcome = attempt(notifier(lambda _said: release.wait(20), timeout=0.1), SAID)
    assert time.monotonic() - started < 3
    release.set()
    assert outcome == AttemptResult(error="no answer within 0.1 s")


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
    ("asked", "wait"), [(30, 30), (0, 0), (-5, 0), (86400, MAX_BACKOFF_S), (math.inf, MAX_BACKOFF_S)]
)
def test_the_receivers_wait_is_kept_within_reason(asked: float, wait: float) -> None:
    assert after(AttemptResult(error="busy", retry_after=asked), 0, 0) == Retry(wait, 0, 1)


FAILURES = st.builds(
    lambda permanent, wait: attempt(
        failing(DeliveryError("no", permanent=permanent, retry_after=wait)), SAID
    ),
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
        assert 0.0 <= again.delay_s <= MAX_BACKOFF_S
        assert again.position - position in (0, 1)
        assert again.attempts == (made[position] if again.position == position else 0)
        assert again.position == position or outcome.permanent or made[position] == tries
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
