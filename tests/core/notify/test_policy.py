from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Flapping, Impact, Incident, IncidentStatus, Priority, Root
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import (
    RETRY_DELAY_S,
    Decision,
    NotificationState,
    compute_retry_delay,
    decide,
    may_retry_route,
    needs_escalation,
    plan_check,
    reminder_due,
    still_relevant,
)

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
INCIDENT = Incident.model_validate(
    {
        "fault": "f", "root": Root(code="A"), "title": "t", "priority": "P1", "severity": "CRITICAL",
        "impact": Impact(), "opened_at": OPENED,
    }
)  # fmt: skip
RESOLVED = INCIDENT.model_copy(update={"status": IncidentStatus.RESOLVED})
ACKNOWLEDGED = INCIDENT.model_copy(update={"acknowledged_at": OPENED})
SILENCED = INCIDENT.model_copy(update={"suppressed": True})
DRILL = INCIDENT.model_copy(update={"drill": True})
WORSE = INCIDENT.model_copy(update={"priority": Priority.P0})
FLAPPING = INCIDENT.model_copy(
    update={"flapping": Flapping(since=OPENED, times=3, last_onset=OPENED, period_s=100, on_s=50)}
)
HOUR = 3600.0
SAID = NotificationState(
    notified_fault="f", notified_priority=Priority.P1, notified_since=OPENED, last_notified_at=OPENED
)


def at(seconds: float) -> datetime:
    return OPENED + timedelta(seconds=seconds)


def queued(*reasons: NotifyReason) -> NotificationState:
    return replace(SAID, queued_reasons=frozenset(reasons))


WAITS = NotificationState(queued_reasons=frozenset({NotifyReason.FIRST}), first_due=at(30))


def test_the_first_waits_group_wait_from_the_opening() -> None:
    assert decide(INCIDENT, NotificationState(), at(2), 30) == Decision(NotifyReason.FIRST, at(30))


def test_nothing_is_queued_twice() -> None:
    assert decide(INCIDENT, WAITS, OPENED, 30) == Decision()
    assert decide(INCIDENT, SAID, OPENED, 30) == Decision()
    assert decide(WORSE, queued(NotifyReason.ESCALATED), OPENED, 30).reason is None


def test_that_it_flaps_is_said_once_in_place_of_a_first_message() -> None:
    said = Decision(NotifyReason.FLAPPING, at(30), cancel=True)
    assert decide(FLAPPING, NotificationState(), at(2), 30) == said
    assert decide(FLAPPING, WAITS, at(2), 30) == said
    assert decide(FLAPPING, SAID, at(90), 30) == Decision(NotifyReason.FLAPPING, at(90), cancel=True)
    assert decide(FLAPPING, queued(NotifyReason.FLAPPING), at(90), 30) == Decision()
    notified = replace(SAID, notified_flapping=True)
    assert decide(FLAPPING, notified, at(90), 30) == Decision()
    worse = FLAPPING.model_copy(update={"priority": Priority.P0})
    assert decide(worse, notified, at(90), 30).reason is NotifyReason.ESCALATED
    assert decide(FLAPPING, NotificationState(), at(2), 30, route_matches=False) == Decision(cancel=True)


def test_that_it_no_longer_flaps_is_said_to_those_who_know_of_it() -> None:
    notified = replace(SAID, notified_flapping=True)
    assert decide(INCIDENT, notified, at(90), 30) == Decision(NotifyReason.STEADY, at(90))
    assert decide(INCIDENT, SAID, at(90), 30) == Decision()
    assert decide(RESOLVED, notified, at(90), 30).reason is NotifyReason.RESOLVED
    assert still_relevant(NotifyReason.STEADY, INCIDENT, notified)
    assert not still_relevant(NotifyReason.STEADY, FLAPPING, notified)
    assert not still_relevant(NotifyReason.FLAPPING, INCIDENT, SAID)


def test_a_flapping_message_that_failed_waits_for_its_own_retry() -> None:
    assert decide(FLAPPING, NotificationState(failures=1), at(10), 30) == Decision()


def test_a_first_message_that_waits_longer_than_it_need_is_due_sooner() -> None:
    held = replace(WAITS, first_due=at(9 * HOUR))
    assert decide(INCIDENT, held, at(2), 30) == Decision(NotifyReason.FIRST, at(30), advance=True)


def test_a_route_that_no_longer_fits_is_not_told_unless_it_was_before() -> None:
    assert decide(INCIDENT, WAITS, OPENED, 30, route_matches=False) == Decision(cancel=True)
    assert decide(WORSE, SAID, OPENED, 30, route_matches=False).reason is NotifyReason.ESCALATED


def test_a_root_found_after_the_first_message_is_said() -> None:
    other = replace(SAID, notified_fault="other")
    assert decide(INCIDENT, other, OPENED, 30).reason is NotifyReason.NEW_ROOT
    waits = replace(other, queued_reasons=frozenset({NotifyReason.NEW_ROOT}))
    assert decide(INCIDENT, waits, OPENED, 30).reason is None


def test_a_root_that_is_hardly_likelier_is_not_said() -> None:
    assert (
        decide(INCIDENT, replace(SAID, notified_fault="other"), OPENED, 30, is_confident=False).reason is None
    )


def test_a_new_root_that_is_worse_is_one_message() -> None:
    other = replace(SAID, notified_fault="other")
    assert decide(WORSE, other, OPENED, 30).reason is NotifyReason.NEW_ROOT
    assert decide(WORSE, other, OPENED, 30, is_confident=False).reason is NotifyReason.ESCALATED


def test_a_rise_in_priority_is_said_and_a_fall_is_not() -> None:
    assert decide(WORSE, SAID, at(5), 30) == Decision(NotifyReason.ESCALATED, at(5))
    less = INCIDENT.model_copy(update={"priority": Priority.P2})
    assert decide(less, SAID, at(5), 30) == Decision()
    assert decide(WORSE, replace(SAID, notified_priority=Priority.P0), at(5), 30) == Decision()


def test_recovery_is_said_once_and_only_to_those_who_were_told() -> None:
    assert decide(RESOLVED, SAID, OPENED, 30) == Decision(NotifyReason.RESOLVED, OPENED, cancel=True)
    assert decide(RESOLVED, NotificationState(resolution_sent=True), OPENED, 30).reason is None
    assert decide(RESOLVED, WAITS, OPENED, 30) == Decision(cancel=True)
    assert decide(RESOLVED, queued(NotifyReason.RESOLVED), OPENED, 30) == Decision()


def test_what_is_back_before_its_recovery_was_said_never_ended_for_people() -> None:
    assert decide(INCIDENT, queued(NotifyReason.RESOLVED), OPENED, 30) == Decision(cancel=True)


def test_what_is_back_after_people_were_told_that_it_is_over_is_said_after_a_wait() -> None:
    assert decide(INCIDENT, NotificationState(resolution_sent=True), at(2 * HOUR), 30) == Decision(
        NotifyReason.FIRST, at(2 * HOUR + 30)
    )


def test_the_first_message_of_a_merged_incident_is_dropped_where_the_other_was_said() -> None:
    assert decide(INCIDENT, queued(NotifyReason.FIRST), OPENED, 30) == Decision(cancel=True)


def test_a_suppressed_incident_is_silent() -> None:
    assert decide(SILENCED, NotificationState(), OPENED, 30) == Decision(cancel=True)


def test_a_drill_waits_for_nothing_and_is_told_once() -> None:
    assert decide(DRILL, NotificationState(), at(1), 30) == Decision(NotifyReason.FIRST, at(1))
    over = RESOLVED.model_copy(update={"drill": True})
    assert decide(over, SAID, at(9), 30) == Decision(cancel=True)


def test_people_are_reminded_after_the_interval_from_the_last_message() -> None:
    assert reminder_due(INCIDENT, SAID, at(HOUR - 1), HOUR).reason is None
    assert reminder_due(INCIDENT, SAID, at(HOUR), HOUR) == Decision(NotifyReason.REMINDER, at(HOUR))
    again = replace(SAID, last_notified_at=at(HOUR))
    assert reminder_due(INCIDENT, again, at(2 * HOUR - 1), HOUR).reason is None
    assert reminder_due(INCIDENT, SAID, at(99 * HOUR), 0).reason is None, "0 is never"


@pytest.mark.parametrize("quiet", [ACKNOWLEDGED, SILENCED, RESOLVED, DRILL])
def test_nobody_is_reminded_of_what_somebody_is_at_or_nobody_wants_to_hear(quiet: Incident) -> None:
    assert reminder_due(quiet, SAID, at(9 * HOUR), HOUR).reason is None
    assert not needs_escalation(quiet, SAID, NotificationState(), at(9 * HOUR), 900)
    assert not still_relevant(NotifyReason.REMINDER, quiet, SAID)


def test_what_nobody_could_deliver_is_tried_anew_with_growing_waits() -> None:
    waits = [compute_retry_delay(failures, 2 * HOUR) / RETRY_DELAY_S for failures in range(1, 8)]
    assert waits == [1, 2, 4, 8, 16, 24, 24], "doubling, up to the interval of reminders"
    assert compute_retry_delay(1000, 0) == 12 * RETRY_DELAY_S
    waiting = replace(WAITS, failures=1, first_due=at(HOUR))
    assert decide(INCIDENT, waiting, at(60), 30) == Decision(), "it waits for its retry"
    assert (
        reminder_due(
            INCIDENT, replace(SAID, queued_reasons=frozenset({NotifyReason.REMINDER})), at(9 * HOUR), HOUR
        )
        == Decision()
    )


def test_a_recovery_is_retried_for_a_day_and_a_drill_never() -> None:
    over = RESOLVED.model_copy(update={"resolved_at": at(60)})
    assert may_retry_route(over, at(60 + 24 * HOUR - 1))
    assert not may_retry_route(over, at(60 + 24 * HOUR))
    assert may_retry_route(INCIDENT, at(1000 * HOUR))
    assert not may_retry_route(DRILL, OPENED)


def test_all_who_may_know_of_it_are_told_of_the_end_also_during_a_silence() -> None:
    silenced = RESOLVED.model_copy(update={"suppressed": True})
    doubtful = NotificationState(open_receivers=("sms",))
    for state in (SAID, doubtful):
        assert decide(silenced, state, at(9), 30) == Decision(NotifyReason.RESOLVED, at(9), cancel=True)
        assert decide(SILENCED, state, at(9), 30) == Decision(cancel=True), "what is wrong is muted"
    assert decide(silenced, NotificationState(), at(9), 30) == Decision(cancel=True)


def test_delivery_is_checked_three_times() -> None:
    assert [plan_check(checks, OPENED) for checks in range(4)] == [at(120), at(600), at(1800), None]


def test_the_next_route_is_told_where_nobody_acknowledged_in_time() -> None:
    assert not needs_escalation(INCIDENT, SAID, NotificationState(), at(899), 900)
    assert needs_escalation(INCIDENT, SAID, NotificationState(), at(900), 900)
    assert not needs_escalation(INCIDENT, NotificationState(), NotificationState(), at(900), 900), (
        "nobody was asked yet"
    )
    assert not needs_escalation(INCIDENT, SAID, queued(NotifyReason.ESCALATED), at(900), 900)
    assert not needs_escalation(INCIDENT, SAID, NotificationState(escalated_at=at(900)), at(9999), 900), (
        "once"
    )


def test_it_is_told_anew_where_the_first_was_asked_anew() -> None:
    worse = replace(SAID, notified_since=at(5000))
    assert needs_escalation(WORSE, worse, NotificationState(escalated_at=at(900)), at(5900), 900)


def test_a_route_that_could_tell_nobody_hands_over_at_once() -> None:
    assert needs_escalation(INCIDENT, NotificationState(failures=1), NotificationState(), at(40), 900)


def test_what_waited_is_only_said_where_it_is_still_true() -> None:
    assert still_relevant(NotifyReason.FIRST, ACKNOWLEDGED, NotificationState())
    assert not still_relevant(NotifyReason.FIRST, RESOLVED, NotificationState())
    assert not still_relevant(NotifyReason.ESCALATED, ACKNOWLEDGED, SAID)
    assert still_relevant(NotifyReason.ESCALATED, INCIDENT, NotificationState())
    assert not still_relevant(NotifyReason.NEW_ROOT, INCIDENT, SAID), "the root is what was said again"
    assert not still_relevant(NotifyReason.RESOLVED, INCIDENT, SAID)


times = st.none() | st.integers(0, 10**6).map(at)
tellings = st.builds(
    NotificationState,
    queued_reasons=st.frozensets(st.sampled_from(NotifyReason), max_size=2),
    notified_fault=st.sampled_from([None, "f", "other"]),
    notified_priority=st.none() | st.sampled_from(Priority),
    notified_since=times,
    last_notified_at=times,
    resolution_sent=st.booleans(),
    escalated_at=times,
    failures=st.integers(0, 50),
)
incidents = st.sampled_from([INCIDENT, RESOLVED, ACKNOWLEDGED, SILENCED, DRILL, WORSE])


@given(incidents, tellings, st.integers(0, 10**7).map(at), st.booleans(), st.booleans())
def test_nothing_is_due_before_now_and_nothing_waiting_is_queued_again(
    incident: Incident, told: NotificationState, now: datetime, fits: bool, sure: bool
) -> None:
    for decision in (
        decide(incident, told, now, 30, route_matches=fits, is_confident=sure),
        reminder_due(incident, told, now, HOUR),
    ):
        assert (decision.reason is None) == (decision.due_at is None)
        if decision.due_at is not None:
            assert decision.due_at >= now
        if incident.suppressed or incident.acknowledged_at:
            assert decision.reason is not NotifyReason.REMINDER
        if decision.reason in {NotifyReason.NEW_ROOT, NotifyReason.ESCALATED, NotifyReason.REMINDER}:
            assert decision.reason not in told.queued_reasons
