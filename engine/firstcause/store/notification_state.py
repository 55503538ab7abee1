"""What people were told of incidents, read from the outbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus, NotifyReason, Priority
from firstcause.core.notify.policy import Told
from firstcause.store.tables import incident, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence


def told(conn: sa.Connection, incident_id: int, *, without: int | None = None) -> dict[str, Told]:
    """Route -> what is queued or said of an incident by it. without: a row that does not count."""
    rows = conn.execute(
        sa.select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    ).all()
    return _by_route([row for row in rows if row.id != without])


def of_open(conn: sa.Connection) -> dict[int, dict[str, Told]]:
    """The same of every open incident, by its row."""
    rows = conn.execute(
        sa.select(outbox)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value)
        .order_by(outbox.c.id)
    ).all()
    incidents: dict[int, list[Any]] = {}
    for row in rows:
        incidents.setdefault(row.incident_id, []).append(row)
    return {number: _by_route(its) for number, its in incidents.items()}


def said_faults(conn: sa.Connection) -> frozenset[str]:
    """The faults that people were told are the roots of what is open; of each incident the last."""
    rows = conn.execute(
        sa.select(outbox.c.incident_id, outbox.c.said_fault)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value, outbox.c.said_fault.is_not(None))
        .order_by(outbox.c.id)
    )
    return frozenset({row.incident_id: row.said_fault for row in rows}.values())


def _by_route(rows: Sequence[Any]) -> dict[str, Told]:
    """rows: in the order in which they were queued."""
    found: dict[str, Told] = {}
    for row in rows:
        before = found.get(row.route, Told())
        found[row.route] = replace(_after(before, row), notifiers=tuple(row.notifiers))
    return found


def _after(before: Told, row: Any) -> Told:
    reason = NotifyReason(row.reason)
    if row.outcome == "cancelled":
        return before
    waits = row.outcome is None and row.said_fault is None
    if reason is NotifyReason.RESOLVED and not waits:
        return Told(over=True)
    if row.outcome == "given up":
        return replace(before, failures=before.failures + 1, failed_at=row.closed_at or row.due_at)
    if row.said_fault is not None:
        return _said(before, row, reason)
    waiting = replace(before, queued=before.queued | {reason})
    if reason is NotifyReason.ESCALATED:
        waiting = replace(waiting, escalated_at=row.due_at)
    return replace(waiting, first_due=row.due_at) if reason is NotifyReason.FIRST else waiting


def _said(before: Told, row: Any, reason: NotifyReason) -> Told:
    """A row under way counts as said; older stores did not write down when and how urgent."""
    at = row.closed_at or row.claimed_at or row.due_at
    priority = Priority(row.said_priority) if row.said_priority is not None else None
    known = [each for each in (before.said_priority, priority) if each is not None]
    highest = max(known, key=lambda each: each.rank, default=None)
    anew = reason is NotifyReason.ESCALATED or highest is not before.said_priority
    return replace(
        before,
        said_fault=row.said_fault,
        said_priority=highest,
        since=at if anew or before.since is None else before.since,
        said_at=at,
        over=False,
        escalated_at=at if reason is NotifyReason.ESCALATED else before.escalated_at,
        failures=0,
        failed_at=None,
    )
