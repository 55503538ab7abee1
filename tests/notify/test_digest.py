"""Several held-back messages as one: which go in, in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Impact, Incident, IncidentStatus, Priority, Root, Severity
from firstcause.core.notification import NotifyReason
from firstcause.notify.digest import plan_digest
from firstcause.store.outbox import PendingMessage

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def make_incident(number: int, **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "fault": f"fault{number}", "root": Root(code=f"CODE_{number}"), "title": "Title",
        "priority": Priority.P2, "severity": Severity.WARNING, "impact": Impact(),
        "opened_at": START + timedelta(minutes=number), "stored_id": number,
    }  # fmt: skip
    return Incident(**(fields | changes))


def make_row(number: int, reason: NotifyReason = NotifyReason.FIRST) -> PendingMessage:
    return PendingMessage(
        id=number, incident_id=number, reason=reason, route="r", notifiers=("phone",), position=0,
        attempts=0, held_by="phone",
    )  # fmt: skip


def test_the_most_urgent_comes_first_and_resolved_ones_last() -> None:
    incidents = {
        1: make_incident(1, status=IncidentStatus.RESOLVED, priority=Priority.P0),
        2: make_incident(2),
        3: make_incident(3, priority=Priority.P1),
    }
    digest = plan_digest([make_row(number) for number in incidents], incidents)
    assert digest is not None
    assert [incident.stored_id for incident in digest.incidents] == [3, 2, 1]
    assert [row.id for row in digest.rows] == [3, 2]
    assert [row.id for row in digest.resolved_rows] == [1]
    assert digest.since == incidents[1].opened_at


def test_reminders_of_acknowledged_incidents_stay_out() -> None:
    incidents = {number: make_incident(number) for number in (1, 2)}
    incidents[3] = make_incident(3, acknowledged_at=START, acknowledged_by="ann")
    digest = plan_digest([make_row(number, NotifyReason.REMINDER) for number in incidents], incidents)
    assert digest is not None
    assert [row.id for row in digest.stale_rows] == [3]
    assert [incident.stored_id for incident in digest.incidents] == [1, 2]


def test_one_open_incident_needs_no_digest() -> None:
    incidents = {1: make_incident(1), 2: make_incident(2, status=IncidentStatus.RESOLVED)}
    assert plan_digest([make_row(1), make_row(2)], incidents) is None
    acknowledged = {number: make_incident(number, acknowledged_at=START) for number in (1, 2)}
    reminders = [make_row(number, NotifyReason.REMINDER) for number in acknowledged]
    assert plan_digest(reminders, acknowledged) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(NotifyReason)),
            st.sampled_from([IncidentStatus.OPEN, IncidentStatus.RESOLVED]),
            st.sampled_from(list(Priority)),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_every_message_is_in_one_place_and_named_incidents_are_those_of_the_messages(
    drawn: list[tuple[NotifyReason, IncidentStatus, Priority, bool]],
) -> None:
    incidents = {
        number: make_incident(
            number, status=status, priority=priority, acknowledged_at=START if acknowledged else None
        )
        for number, (_reason, status, priority, acknowledged) in enumerate(drawn)
    }
    rows = [make_row(number, reason) for number, (reason, *_rest) in enumerate(drawn)]
    digest = plan_digest(rows, incidents)
    if digest is None:
        return
    placed = [*digest.rows, *digest.resolved_rows, *digest.stale_rows]
    assert sorted(row.id for row in placed) == [row.id for row in rows]
    named = {incident.stored_id for incident in digest.incidents}
    assert named == {row.incident_id for row in (*digest.rows, *digest.resolved_rows)}
    assert digest.incidents[0].stored_id == digest.rows[0].incident_id
