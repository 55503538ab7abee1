"""What people were notified of, read from the outbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus, Priority
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState
from firstcause.core.notify.receiver import may_think_open
from firstcause.store import receiver_states
from firstcause.store.tables import incident, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.store.receiver_states import StatesByRoute


def load_state(
    conn: sa.Connection, incident_id: int, *, excluded_id: int | None = None
) -> dict[str, NotificationState]:
    """Load what is queued or sent for an incident, by route. excluded_id: an outbox row to leave out."""
    rows = conn.execute(
        sa.select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    ).all()
    states = _group_by_route([row for row in rows if row.id != excluded_id])
    return _add_receivers(states, receiver_states.load_by_incident(conn, [incident_id])[incident_id])


def load_open_states(conn: sa.Connection) -> dict[int, dict[str, NotificationState]]:
    """Load what is queued or sent for every open incident, by incident id and route."""
    rows = conn.execute(
        sa.select(outbox)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value)
        .order_by(outbox.c.id)
    ).all()
    incidents: dict[int, list[Any]] = {}
    for row in rows:
        incidents.setdefault(row.incident_id, []).append(row)
    receivers = receiver_states.load_by_incident(conn, incidents)
    return {
        incident_id: _add_receivers(_group_by_route(incident_rows), receivers[incident_id])
        for incident_id, incident_rows in incidents.items()
    }


def load_notified_faults(conn: sa.Connection) -> frozenset[str]:
    """Load the root faults that the last notification of each open incident named."""
    rows = conn.execute(
        sa.select(outbox.c.incident_id, outbox.c.said_fault)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value, outbox.c.said_fault.is_not(None))
        .order_by(outbox.c.id)
    )
    return frozenset({row.incident_id: row.said_fault for row in rows}.values())


def _add_receivers(
    states: dict[str, NotificationState], receivers: StatesByRoute
) -> dict[str, NotificationState]:
    """Add to each route which of its notifiers told people that the incident is open."""
    for route, by_notifier in receivers.items():
        open_receivers = tuple(name for name, state in by_notifier.items() if may_think_open(state))
        if open_receivers:
            states[route] = replace(states.get(route, NotificationState()), open_receivers=open_receivers)
    return states


def _group_by_route(rows: Sequence[Any]) -> dict[str, NotificationState]:
    """Group outbox rows by route. rows: in the order in which they were queued."""
    states: dict[str, NotificationState] = {}
    for row in rows:
        before = states.get(row.route, NotificationState())
        # A recovery goes to those who were notified, so its notifiers are not those of the route.
        is_recovery = row.reason == NotifyReason.RESOLVED.value
        notifiers = before.notifiers if is_recovery and before.notifiers else tuple(row.notifiers)
        states[row.route] = replace(_apply_row(before, row), notifiers=notifiers)
    return states


def _apply_row(before: NotificationState, row: Any) -> NotificationState:
    reason = NotifyReason(row.reason)
    if row.outcome == "cancelled":
        return before
    is_pending = row.outcome is None and row.said_fault is None
    if reason is NotifyReason.RESOLVED and not is_pending:
        return NotificationState(resolution_sent=True)
    if row.outcome == "given up":
        return replace(before, failures=before.failures + 1)
    if row.said_fault is not None:
        return _apply_notified(before, row, reason)
    pending = replace(
        before, queued_reasons=before.queued_reasons | {reason}, failures=before.failures + row.failures
    )
    if reason is NotifyReason.ESCALATED:
        pending = replace(pending, escalated_at=row.due_at)
    return replace(pending, first_due=row.due_at) if reason is NotifyReason.FIRST else pending


def _apply_notified(before: NotificationState, row: Any, reason: NotifyReason) -> NotificationState:
    """Apply a message that was sent, or whose sending began; the latter counts as notified."""
    # After a crash the next daemon releases the claim, so that only the due time is left.
    time = row.closed_at or row.claimed_at or row.due_at
    priorities = [value for value in (before.notified_priority, Priority(row.said_priority)) if value]
    highest = max(priorities, key=lambda value: value.rank)
    is_new_level = reason is NotifyReason.ESCALATED or highest is not before.notified_priority
    is_beginning = reason in {NotifyReason.FIRST, NotifyReason.NEW_ROOT, NotifyReason.STEADY}
    return replace(
        before,
        notified_flapping=reason is NotifyReason.FLAPPING or (before.notified_flapping and not is_beginning),
        notified_fault=row.said_fault,
        notified_priority=highest,
        notified_since=time if is_new_level or before.notified_since is None else before.notified_since,
        last_notified_at=time,
        resolution_sent=False,
        escalated_at=time if reason is NotifyReason.ESCALATED else before.escalated_at,
        failures=0,
    )
