"""What people do about an incident, as changes to the store. Nothing here evaluates rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import IncidentStatus, Role
from firstcause.errors import IntakeError
from firstcause.store import alerts, audit, cause_overrides, incidents
from firstcause.store.cause_overrides import CauseOverride

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Incident
    from firstcause.store.database import Database


def acknowledge(
    conn: sa.Connection, incident_id: str, now: datetime, actor: str, comment: str | None
) -> None:
    """Note who works on an incident. A second call changes nothing. IntakeError where it is over."""
    incident = get_open_incident(conn, incident_id, "acknowledged")
    if incident.acknowledged_at is None:
        incidents.save(conn, incident.model_copy(update={"acknowledged_at": now, "acknowledged_by": actor}))
        incidents.add_timeline_entry(conn, incident.row_id, now, "acknowledged", reason=comment, actor=actor)


def unacknowledge(
    conn: sa.Connection, incident_id: str, now: datetime, actor: str, comment: str | None
) -> None:
    """Take an acknowledgement back. IntakeError where the incident is over."""
    incident = get_open_incident(conn, incident_id, "given back")
    if incident.acknowledged_at is not None:
        incidents.save(conn, incident.model_copy(update={"acknowledged_at": None, "acknowledged_by": None}))
        incidents.add_timeline_entry(
            conn, incident.row_id, now, "no longer acknowledged", reason=comment, actor=actor
        )


def merge(
    conn: sa.Connection, incident_id: str, target_id: str, now: datetime, actor: str, reason: str | None
) -> None:
    """Set the cause of one open incident's roots to another incident's root, against every rule."""
    merged = get_open_incident(conn, incident_id, "merged")
    target = get_open_incident(conn, target_id, "merged into")
    if merged.stored_id == target.stored_id:
        msg = f"incident {incident_id} is incident {target_id} already; name another"
        raise IntakeError(msg)
    cause = _find_active_roots(conn, target)[0]
    for root in _find_active_roots(conn, merged):
        cause_overrides.add(conn, CauseOverride(root.row_id, cause.row_id, now, actor, reason))
    for incident, what in (
        (merged, f"to be taken in by incident {target.stored_id}"),
        (target, f"to take in incident {merged.stored_id}"),
    ):
        incidents.add_timeline_entry(conn, incident.row_id, now, what, reason=reason, actor=actor)


def split(
    conn: sa.Connection,
    incident_id: str,
    alert_ids: Sequence[str],
    now: datetime,
    actor: str,
    reason: str | None,
) -> None:
    """Note that alerts of an open incident have a cause of their own, against every rule."""
    incident = get_open_incident(conn, incident_id, "split")
    members = alerts.load_by_incident(conn, [incident.row_id])[incident.row_id]
    active = {str(member.stored_id): member for member in members if member.active}
    for alert_id in alert_ids:
        alert = active.get(alert_id)
        if alert is None:
            msg = f"incident {incident_id} has no active alert {alert_id!r}; it has {', '.join(active)}"
            raise IntakeError(msg)
        if alert.fault == incident.fault:
            msg = f"alert {alert_id} is the root fault of incident {incident_id} itself; split off the others"
            raise IntakeError(msg)
        cause_overrides.add(conn, CauseOverride(alert.row_id, None, now, actor, reason))
        what = f"{alert.code} (alert {alert_id}) split off"
        incidents.add_timeline_entry(conn, incident.row_id, now, what, reason=reason, actor=actor)


def get_open_incident(conn: sa.Connection, incident_id: str, action: str) -> Incident:
    """The incident. IntakeError where it is over. action: what is to be done, for the message."""
    incident = incidents.get(conn, incident_id)
    if incident.status is not IncidentStatus.OPEN:
        hint = "`firstcause incidents` has the open ones"
        msg = f"incident {incident_id} is over, so it cannot be {action}; {hint}"
        raise IntakeError(msg)
    return incident


def record_audit(database: Database, now: datetime, actor: str, action: str, about: str) -> None:
    """Add to the audit log an action of a person that leaves no other trace in the store."""
    with database.write(exclusive=False) as conn:
        audit.add(conn, now, actor, action, about=about)


def _find_active_roots(conn: sa.Connection, incident: Incident) -> list[Alert]:
    members = alerts.load_by_incident(conn, [incident.row_id])[incident.row_id]
    return [alert for alert in members if alert.active and alert.role is Role.ROOT]
