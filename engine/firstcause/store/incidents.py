"""Incidents and their timelines in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import Flapping, Impact, Incident, IncidentStatus, Root, Transition, Verdict
from firstcause.errors import NotFoundError
from firstcause.store import audit
from firstcause.store.tables import alert, event, incident, notification_log, timeline

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

_MAX_ID_DIGITS = 15

SYSTEM_ACTOR = "firstcause"
"""The actor of changes that firstcause makes by itself."""

_NEITHER_MERGED_NOR_DRILL = (incident.c.status != IncidentStatus.MERGED.value, incident.c.drill.is_(False))
"""Excludes drills, and incidents that were merged into another."""


def _to_incident(row: Any) -> Incident:
    return Incident(
        fault=row.fault,
        root=Root(code=row.root_code, service=row.root_service, tenant=row.root_tenant),
        title=row.title,
        priority=row.priority,
        severity=row.severity,
        impact=Impact.model_validate(row.impact),
        opened_at=row.opened_at,
        status=row.status,
        resolved_at=row.resolved_at,
        fix=row.fix,
        suppressed=row.suppressed,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        drill=row.drill,
        transitions=tuple(Transition.model_validate(entry) for entry in row.transitions or ()),
        flapping=Flapping.model_validate(row.flapping) if row.flapping else None,
        root_verdict=Verdict.model_validate(row.root_verdict) if row.root_verdict else None,
        stored_id=row.id,
    )


def load_open(conn: sa.Connection, *, drill: bool = False) -> list[Incident]:
    """Load the open incidents. drill: those of drills instead of all others."""
    conditions = incident.c.status == IncidentStatus.OPEN.value, incident.c.drill.is_(drill)
    return [
        _to_incident(row)
        for row in conn.execute(sa.select(incident).where(*conditions).order_by(incident.c.id))
    ]


def load_flapping(conn: sa.Connection) -> list[Incident]:
    """Load the open incidents that flap."""
    conditions = incident.c.status == IncidentStatus.OPEN.value, incident.c.flapping.is_not(None)
    return [
        _to_incident(row)
        for row in conn.execute(sa.select(incident).where(*conditions).order_by(incident.c.id))
    ]


def list_incidents(conn: sa.Connection, status: str | None, limit: int | None) -> list[Incident]:
    """List incidents, newest first. status None: all but merged ones. limit None: all."""
    condition = incident.c.status == status if status else incident.c.status != IncidentStatus.MERGED.value
    rows = conn.execute(sa.select(incident).where(condition).order_by(incident.c.id.desc()).limit(limit))
    return [_to_incident(row) for row in rows]


def get(conn: sa.Connection, incident_id: str) -> Incident:
    """Load an incident, or the one that it was merged into; NotFoundError where there is none."""
    row = None
    next_id: int | None = (
        int(incident_id)
        if incident_id.isascii() and incident_id.isdigit() and len(incident_id) <= _MAX_ID_DIGITS
        else None
    )
    while next_id is not None:
        row = conn.execute(sa.select(incident).where(incident.c.id == next_id)).first()
        next_id = row.merged_into if row else None
    if row is None:
        msg = f"no incident {incident_id!r}; `firstcause incidents` lists them"
        raise NotFoundError(msg)
    return _to_incident(row)


def save(conn: sa.Connection, record: Incident) -> int:
    """Insert or update an incident; returns its id."""
    values = {
        "fault": record.fault,
        "status": record.status.value,
        "root_code": record.root.code,
        "root_service": record.root.service,
        "root_tenant": record.root.tenant,
        "title": record.title,
        "priority": record.priority.value,
        "severity": record.severity.value,
        "impact": record.impact.model_dump(mode="json"),
        "suppressed": record.suppressed,
        "opened_at": record.opened_at,
        "resolved_at": record.resolved_at,
        "fix": record.fix,
        "acknowledged_at": record.acknowledged_at,
        "acknowledged_by": record.acknowledged_by,
        "drill": record.drill,
        "transitions": [transition.model_dump(mode="json") for transition in record.transitions],
        "flapping": record.flapping.model_dump(mode="json") if record.flapping is not None else sa.null(),
        "root_verdict": record.root_verdict.model_dump(mode="json")
        if record.root_verdict is not None
        else sa.null(),
    }
    if record.stored_id is None:
        return int(conn.execute(incident.insert().values(values).returning(incident.c.id)).scalar_one())
    conn.execute(incident.update().where(incident.c.id == record.stored_id).values(values))
    return record.stored_id


def _was_closed_manually() -> sa.Exists:
    """Build the condition that a person resolved the incident."""
    ending = sa.select(timeline.c.actor).where(
        timeline.c.incident_id == incident.c.id,
        timeline.c.at == incident.c.resolved_at,
        timeline.c.actor != SYSTEM_ACTOR,
    )
    return ending.exists()


def find_manually_closed(conn: sa.Connection, incident_ids: Collection[int | None]) -> set[int]:
    """Find which of the incidents a person resolved."""
    if not incident_ids:
        return set()
    closed = sa.select(incident.c.id).where(incident.c.id.in_(incident_ids), _was_closed_manually())
    return set(conn.execute(closed).scalars())


def count_past_roots(conn: sa.Connection, since: datetime) -> dict[str, int]:
    """Count the incidents that were resolved since then by the service of their root."""
    rows = conn.execute(
        sa.select(incident.c.root_service, sa.func.count())
        .where(
            incident.c.status == IncidentStatus.RESOLVED.value,
            incident.c.resolved_at >= since,
            incident.c.root_service.is_not(None),
            incident.c.drill.is_(False),
        )
        .group_by(incident.c.root_service)
        .order_by(incident.c.root_service)
    )
    return {str(service): int(total) for service, total in rows}


def find_recently_ended(conn: sa.Connection, fault: str, since: datetime) -> Incident | None:
    """Find the last incident of a fault that ended since then without a person resolving it."""
    row = conn.execute(
        sa.select(incident)
        .where(
            incident.c.fault == fault,
            incident.c.status == IncidentStatus.RESOLVED.value,
            incident.c.resolved_at >= since,
            ~_was_closed_manually(),
        )
        .order_by(incident.c.id.desc())
        .limit(1)
    ).first()
    return _to_incident(row) if row is not None else None


def merge(conn: sa.Connection, merged_id: int, target_id: int, now: datetime) -> None:
    """Merge an incident into another one, which takes its alerts."""
    conn.execute(
        incident.update()
        .where(incident.c.id == merged_id)
        .values(status=IncidentStatus.MERGED.value, merged_into=target_id, resolved_at=now)
    )
    conn.execute(alert.update().where(alert.c.incident_id == merged_id).values(incident_id=target_id))


def load_merged_ids(conn: sa.Connection, incident_id: int) -> list[int]:
    """Load the ids of all incidents that live on in this one, those merged into a merged one included."""
    found: list[int] = []
    latest = [incident_id]
    while latest:
        query = sa.select(incident.c.id).where(incident.c.merged_into.in_(latest)).order_by(incident.c.id)
        latest = [row for row in conn.execute(query).scalars() if row not in found]
        found += latest
    return found


def add_timeline_entry(
    conn: sa.Connection,
    incident_id: int,
    now: datetime,
    what: str,
    *,
    reason: str | None = None,
    actor: str = SYSTEM_ACTOR,
) -> None:
    """Add an entry to an incident's timeline; what a person did goes to the audit log too."""
    conn.execute(
        timeline.insert().values(incident_id=incident_id, at=now, actor=actor, what=what, reason=reason)
    )
    if actor != SYSTEM_ACTOR:
        audit.add(conn, now, actor, what, about=f"incident {incident_id}", reason=reason)


def load_timeline(conn: sa.Connection, incident_id: int) -> list[dict[str, Any]]:
    """Load the timeline of an incident and of those merged into it, in order; the latter name their id."""
    own_id = sa.select(incident.c.id).where(incident.c.id == incident_id).cte(recursive=True)
    merged_ids = own_id.union(sa.select(incident.c.id).join(own_id, incident.c.merged_into == own_id.c.id))
    column = timeline.c
    rows = conn.execute(
        sa.select(column.incident_id, column.at, column.actor, column.what, column.reason)
        .where(column.incident_id.in_(sa.select(merged_ids.c.id)))
        .order_by(column.id)
    )
    return [_format_entry(row, incident_id) for row in rows]


def _format_entry(row: Any, incident_id: int) -> dict[str, Any]:
    what = row.what if row.incident_id == incident_id else f"incident {row.incident_id}: {row.what}"
    return {"at": row.at, "actor": row.actor, "what": what, "reason": row.reason}


def load_notifications(conn: sa.Connection, incident_id: int) -> list[dict[str, Any]]:
    """Load the notifications that were sent or failed for an incident, in order."""
    log = notification_log.c
    rows = conn.execute(
        sa.select(
            log.at, log.reason, log.notifier, log.status, log.text, log.reference, log.error, log.maybe_repeat
        )
        .where(log.incident_id == incident_id)
        .order_by(log.id)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001


def find_by_event(conn: sa.Connection, event_id: str) -> int | None:
    """Find the id of the incident to which an event belongs; None where there is none."""
    newest = (
        sa.select(alert.c.incident_id)
        .join(event, event.c.fingerprint == alert.c.fingerprint)
        .where(event.c.event_id == event_id, alert.c.incident_id.is_not(None))
        .order_by(alert.c.id.desc())
        .limit(1)
    )
    return conn.execute(newest).scalar()


def count_events(conn: sa.Connection, *, suppressed: bool) -> int:
    """Count the occurrences of all alerts of open incidents, drills left out. suppressed: of those only."""
    total = (
        sa.select(sa.func.coalesce(sa.func.sum(alert.c.count), 0))
        .join(incident, alert.c.incident_id == incident.c.id)
        .where(
            incident.c.status == IncidentStatus.OPEN.value,
            incident.c.drill.is_(False),
            incident.c.suppressed.is_(suppressed),
        )
    )
    return int(conn.execute(total).scalar_one())


def summarize_alerts(conn: sa.Connection, incident_ids: Collection[int]) -> list[dict[str, Any]]:
    """Summarize the alerts of incidents by role and code.

    Returns rows with incident_id, role, code, title, alerts, events, active, last_seen.
    """
    active = sa.func.sum(sa.case((alert.c.resolved_at.is_(None), 1), else_=0))
    rows = conn.execute(
        sa.select(
            alert.c.incident_id,
            alert.c.role,
            alert.c.code,
            sa.func.max(alert.c.title).label("title"),
            sa.func.count().label("alerts"),
            sa.func.sum(alert.c.count).label("events"),
            active.label("active"),
            sa.func.max(alert.c.last_seen).label("last_seen"),
        )
        .where(alert.c.incident_id.in_(incident_ids))
        .group_by(alert.c.incident_id, alert.c.role, alert.c.code)
        .order_by(alert.c.incident_id, sa.desc("events"), alert.c.code)
    )
    return [dict(row) | {"events": int(row["events"])} for row in rows.mappings()]


def list_for_tenant(conn: sa.Connection, tenant: str, limit: int) -> list[Incident]:
    """List the last incidents that affected a tenant, newest first."""
    hit = sa.select(alert.c.incident_id).where(alert.c.tenant == tenant, alert.c.incident_id.is_not(None))
    query = sa.select(incident).where(incident.c.id.in_(hit)).order_by(incident.c.id.desc()).limit(limit)
    return [_to_incident(row) for row in conn.execute(query)]


def list_resolved_with(
    conn: sa.Connection, codes: Collection[str], excluded_id: int, limit: int
) -> list[Incident]:
    """List the last resolved incidents with one of these root codes, newest first, but `excluded_id`."""
    query = sa.select(incident).where(
        incident.c.root_code.in_(codes),
        incident.c.status == IncidentStatus.RESOLVED.value,
        incident.c.id != excluded_id,
        incident.c.drill.is_(False),
    )
    return [_to_incident(row) for row in conn.execute(query.order_by(incident.c.id.desc()).limit(limit))]


def list_ids_opened_since(conn: sa.Connection, since: datetime | None) -> list[int]:
    """List the ids of incidents opened since then, in order, without merged ones. since None: all."""
    query = sa.select(incident.c.id).where(incident.c.status != IncidentStatus.MERGED.value)
    if since is not None:
        query = query.where(incident.c.opened_at >= since)
    return list(conn.execute(query.order_by(incident.c.id)).scalars())


def find_codes_with_fix(conn: sa.Connection, codes: Collection[str]) -> list[str]:
    """Find which of the codes have an incident with a recorded fix."""
    query = sa.select(incident.c.root_code).where(
        incident.c.root_code.in_(codes), incident.c.fix.is_not(None), incident.c.drill.is_(False)
    )
    return sorted(conn.execute(query.distinct()).scalars())


def list_with_root(conn: sa.Connection, code: str, limit: int) -> list[Incident]:
    """List the last incidents whose root has that code, newest first; without drills and merged ones."""
    query = sa.select(incident).where(incident.c.root_code == code, *_NEITHER_MERGED_NOR_DRILL)
    return [_to_incident(row) for row in conn.execute(query.order_by(incident.c.id.desc()).limit(limit))]


def list_opened_between(conn: sa.Connection, since: datetime, until: datetime, limit: int) -> list[Incident]:
    """List the incidents that were opened in that time, newest first; without drills and merged ones."""
    conditions = incident.c.opened_at >= since, incident.c.opened_at <= until, *_NEITHER_MERGED_NOR_DRILL
    query = sa.select(incident).where(*conditions).order_by(incident.c.id.desc()).limit(limit)
    return [_to_incident(row) for row in conn.execute(query)]


def list_last_ended(conn: sa.Connection, limit: int) -> list[Incident]:
    """List the last resolved incidents, newest first; without drills."""
    conditions = incident.c.status == IncidentStatus.RESOLVED.value, incident.c.drill.is_(False)
    return [
        _to_incident(row)
        for row in conn.execute(
            sa.select(incident).where(*conditions).order_by(incident.c.id.desc()).limit(limit)
        )
    ]
