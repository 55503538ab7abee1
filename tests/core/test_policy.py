from __future__ import annotations

from datetime import UTC, datetime, timedelta

from firstcause.core.model import Impact, Incident, IncidentStatus, NotifyReason, Root
from firstcause.core.policy import Decision, Told, decide

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
INCIDENT = Incident.model_validate(
    {
        "fault": "f", "root": Root(code="A"), "title": "t", "priority": "P0", "severity": "CRITICAL",
        "impact": Impact(), "opened_at": OPENED,
    }
)  # fmt: skip
RESOLVED = INCIDENT.model_copy(update={"status": IncidentStatus.RESOLVED})


def test_the_first_waits_group_wait_from_the_opening() -> None:
    decision = decide(INCIDENT, Told(), OPENED + timedelta(seconds=2), 30)
    assert decision == Decision(NotifyReason.FIRST, OPENED + timedelta(seconds=30))


def test_nothing_is_queued_twice() -> None:
    assert decide(INCIDENT, Told(first_queued=True), OPENED, 30).reason is None
    assert decide(INCIDENT, Told(said_fault="f"), OPENED, 30).reason is None


def test_a_root_found_after_the_first_message_is_said() -> None:
    assert decide(INCIDENT, Told(said_fault="other"), OPENED, 30).reason is NotifyReason.NEW_ROOT
    assert decide(INCIDENT, Told(said_fault="other", new_root_queued=True), OPENED, 30).reason is None


def test_recovery_is_said_once_and_only_to_those_who_were_told() -> None:
    assert decide(RESOLVED, Told(said_fault="f"), OPENED, 30).reason is NotifyReason.RESOLVED
    assert decide(RESOLVED, Told(over=True), OPENED, 30).reason is None
    assert decide(RESOLVED, Told(first_queued=True), OPENED, 30) == Decision(cancel=True)


def test_what_is_back_after_people_were_told_that_it_is_over_is_said_after_a_wait() -> None:
    later = OPENED + timedelta(hours=2)
    assert decide(INCIDENT, Told(over=True), later, 30) == Decision(
        NotifyReason.FIRST, later + timedelta(seconds=30)
    )


def test_a_root_that_is_hardly_likelier_is_not_said() -> None:
    assert decide(INCIDENT, Told(said_fault="other"), OPENED, 30, sure=False).reason is None


def test_a_suppressed_incident_is_silent() -> None:
    quiet = INCIDENT.model_copy(update={"suppressed": True})
    assert decide(quiet, Told(), OPENED, 30) == Decision(cancel=True)
