"""The sender's clock says when it happened. Ours decides what is late, silent, over and back."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from support.scenario_app import Stage

HOUR, DAY = 3600, 86_400


def take(stage: Stage, arrival: float, happened: float, **fields: Any) -> None:
    """An event that happened then by its sender's clock, and arrives by ours."""
    stage.take(arrival, stage.event(happened, **({"code": "JOB_FAILED"} | fields)))


def statuses(stage: Stage) -> list[str]:
    return [incident["status"] for incident in reversed(stage.incidents())]


def sweep(stage: Stage, seconds: float) -> None:
    stage.app.maintenance.sweep(stage.time(seconds))
    stage.app.pipeline.triage_all(stage.time(seconds))


@pytest.mark.parametrize("announces_end", [False, True])
def test_what_began_yesterday_and_arrives_now_goes_on(stage: Stage, announces_end: bool) -> None:
    take(stage, 0, -25 * HOUR, announces_end=announces_end)
    sweep(stage, 60)
    assert statuses(stage) == ["open"]


def test_a_state_that_is_repeated_with_its_first_time_goes_on(stage: Stage) -> None:
    for hour in range(0, 10 * 24, 4):
        take(stage, hour * HOUR, 0, announces_end=True)
        sweep(stage, hour * HOUR + 60)
    assert statuses(stage) == ["open"]


def test_a_state_whose_sender_repeats_it_once_a_day_goes_on_until_that_sender_is_gone(stage: Stage) -> None:
    take(stage, 0, 0, announces_end=True)
    sweep(stage, 2 * DAY)
    assert statuses(stage) == ["open"]
    sweep(stage, 8 * DAY)
    assert statuses(stage) == ["resolved"]


def test_a_state_that_is_back_with_its_old_beginning_is_back(stage: Stage) -> None:
    take(stage, 0, -600, announces_end=True)
    take(stage, 10, 10, announces_end=True, resolved=True)
    assert statuses(stage) == ["resolved"]
    take(stage, 20, -600, announces_end=True)
    assert statuses(stage) == ["open"]


@pytest.mark.parametrize("behind", [HOUR, 5 * HOUR, -200, 30 * 365 * DAY])
def test_a_sender_whose_clock_is_wrong_is_heard_after_a_person_resolved(stage: Stage, behind: float) -> None:
    take(stage, 0, 0 - behind)
    stage.app.incidents.resolve("1", stage.time(3), fix=None, actor="ann")
    take(stage, 6, 6 - behind)
    assert statuses(stage) == ["resolved", "open"]


def test_a_sender_that_says_when_it_sent_is_corrected(stage: Stage) -> None:
    """What was under way is late, also hours later; what is new is new."""
    take(stage, 0, 0)
    stage.app.incidents.resolve("1", stage.time(100), fix=None, actor="ann")
    take(stage, 2 * HOUR, 50, sent_at=stage.time(2 * HOUR))
    assert statuses(stage) == ["resolved"]
    assert stage.incident()["events"] == 2
    take(stage, 2 * HOUR + 1, 2 * HOUR, sent_at=stage.time(2 * HOUR))
    assert statuses(stage) == ["resolved", "open"]


def test_what_was_under_way_when_a_person_resolved_opens_nothing(stage: Stage) -> None:
    take(stage, 0, 0)
    stage.app.incidents.resolve("1", stage.time(100), fix=None, actor="ann")
    take(stage, 101, 99)
    assert statuses(stage) == ["resolved"]


def test_an_end_that_comes_before_its_beginning_ends_it(stage: Stage) -> None:
    take(stage, 0, -10, resolved=True)
    take(stage, 1, -60)
    assert statuses(stage) == ["resolved"]
    take(stage, 20, 20)
    assert statuses(stage) == ["open"]


def test_an_end_and_its_beginning_in_the_wrong_order_in_one_request(stage: Stage) -> None:
    end = stage.event(-10, "JOB_FAILED", resolved=True)
    stage.take(0, end, stage.event(-60, "JOB_FAILED"))
    assert statuses(stage) == ["resolved"]


def test_an_end_of_before_is_not_the_end_of_what_began_later(stage: Stage) -> None:
    take(stage, 0, -60)
    take(stage, 1, -5)
    take(stage, 2, -30, resolved=True)
    assert statuses(stage) == ["open"]
    take(stage, 9, 5, resolved=True)
    assert statuses(stage) == ["resolved"]


def test_an_end_by_a_clock_that_is_behind_is_an_end(stage: Stage) -> None:
    take(stage, 0, -HOUR)
    take(stage, 30, -HOUR + 30, resolved=True)
    assert statuses(stage) == ["resolved"]
    take(stage, 60, -HOUR + 60)
    assert statuses(stage) == ["open"]


def test_a_state_that_expires_is_over_unless_it_is_repeated(stage: Stage) -> None:
    fields: dict[str, Any] = {"announces_end": True, "labels": {"instance": "a"}}
    take(stage, 0, 0, expires_at=stage.time(240), **fields)
    take(stage, 60, 0, expires_at=stage.time(300), **fields)
    sweep(stage, 290)
    assert statuses(stage) == ["open"]
    sweep(stage, 301)
    assert statuses(stage) == ["resolved"]


def test_what_ends_by_silence_ends_once_though_its_identity_cannot_be_told_again(stage: Stage) -> None:
    """The end of an error that its stack tells apart carries no stack."""
    stack = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x'
    take(stage, 0, 0, code=None, message="ValueError: x", stack=stack)
    sweep(stage, 2 * DAY)
    events = len(stage.rows("event"))
    assert statuses(stage) == ["resolved"]
    sweep(stage, 2 * DAY + 60)
    assert len(stage.rows("event")) == events


def test_a_report_that_arrives_after_we_looked_is_not_ended_by_that_look(stage: Stage) -> None:
    take(stage, 0, 0)
    stage.app.maintenance.sweep(stage.time(DAY + 1))
    stage.app.intake.accept([stage.event(DAY + 2, "JOB_FAILED")], stage.time(DAY + 2))
    # Both wait now; the report came last, and triage may see it first.
    stage.app.pipeline.triage_all(stage.time(DAY + 3))
    assert statuses(stage)[-1] == "open"


@pytest.mark.parametrize("later", [60, 400])
@pytest.mark.parametrize("set_back", [False, True])
def test_a_sender_whose_clock_is_ahead_is_heard_after_its_end(
    stage: Stage, later: float, set_back: bool
) -> None:
    take(stage, 0, 280)
    take(stage, 30, 310, resolved=True)
    assert statuses(stage) == ["resolved"]
    take(stage, later, later if set_back else later + 280)
    assert statuses(stage) == ["open"]


def test_what_was_under_way_when_a_clock_that_is_ahead_reported_the_end_opens_nothing(stage: Stage) -> None:
    take(stage, 0, 280)
    take(stage, 30, 310, resolved=True)
    take(stage, 31, 290)
    assert statuses(stage) == ["resolved"]


@given(
    skew=st.integers(-280, 48 * HOUR),
    times=st.lists(st.tuples(st.integers(1, 4000), st.booleans()), min_size=1, max_size=8),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_sender_is_understood_by_whatever_clock_it_has(
    stage: Stage, skew: int, times: list[tuple[int, bool]]
) -> None:
    """Events in order, from one clock that is off: what was said last holds."""
    code, now = f"JOB_{uuid.uuid4().hex}", 0
    for gap, resolved in times:
        now += gap
        take(stage, now, now - skew, code=code, resolved=resolved)
        open_now = [one for one in stage.incidents("open") if one["root"]["code"] == code]
        assert bool(open_now) is not resolved
