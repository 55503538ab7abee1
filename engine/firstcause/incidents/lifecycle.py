"""Closes incidents."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from firstcause.core.incidents.root_verdict import restore_root_verdict
from firstcause.core.model import IncidentStatus
from firstcause.health.snapshot_check import COMPARISON
from firstcause.store import alerts, incidents, snapshots

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Incident

log = logging.getLogger("firstcause.incidents")


class NotificationSink(Protocol):
    """Queues the notification of a resolved incident."""

    def enqueue(
        self, conn: sa.Connection, incident: Incident, components: Collection[str], now: datetime
    ) -> None: ...


def close_incident(
    conn: sa.Connection,
    incident: Incident,
    now: datetime,
    notifications: NotificationSink,
    *,
    actor: str,
    reason: str,
) -> Incident:
    """Resolve an incident and its alerts, and notify once. actor, reason: for the timeline."""
    incident_id = incident.row_id
    resolved = incident.model_copy(update={"status": IncidentStatus.RESOLVED, "resolved_at": now})
    incidents.save(conn, resolved)
    members = alerts.load_by_incident(conn, [incident_id])[incident_id]
    restored = [restore_root_verdict(alert, incident) for alert in members]
    alerts.save(conn, (new for new, old in zip(restored, members, strict=True) if new is not old))
    components = {alert.component for alert in members if alert.component}
    alerts.resolve_all(conn, incident_id, now)
    incidents.add_timeline_entry(
        conn, incident_id, now, "resolved, with its cascades", reason=reason, actor=actor
    )
    notifications.enqueue(conn, resolved, components, now)
    log.info("incident %s resolved: %s", incident_id, reason)
    return resolved


def accept_regression(conn: sa.Connection, ending: Incident, actor: str) -> None:
    """Mark the last snapshot as good where the incident has a regression: the new state is intended."""
    members = alerts.load_by_incident(conn, [ending.row_id])[ending.row_id]
    last = snapshots.load_last(conn)
    if last is not None and any(member.active and member.probe == COMPARISON for member in members):
        snapshots.mark_good(conn, last.snapshot_id, f"{actor} resolved the regression")
