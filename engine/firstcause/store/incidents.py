"""Incidents, their timelines and the snapshots of health in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import Impact, Incident, IncidentStatus, Root
from firstcause.errors import NotFoundError
from firstcause.store import audit
from firstcause.store.tables import alert, event, incident, notification_log, timeline

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

_DIGITS = 15

OURSELVES = "firstcause"
"""The actor of what no person did."""

_LIVES = (incident.c.status != IncidentStatus.MERGED.value, incident.c.drill.is_(False))
"""Neither a drill, nor one that lives on in another."""


def _incident(row: Any) -> Incident:
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
        stored_id=row.id,
    )


def still_open(conn: sa.Connection, *, drill: bool = False) -> list[Incident]:
    """drill: those of drills in place of all others."""
    wanted = incident.c.status == IncidentStatus.OPEN.value, incident.c.drill.is_(drill)
    return [
        _incident(row) for row in conn.execute(sa.select(incident).where(*wanted).order_by(incident.c.id))
    ]


def listed(conn: sa.Connection, status: str | None, limit: int | None) -> list[Incident]:
    """Newest first. status None: all but those that live on in another. limit None: all."""
    wanted = incident.c.status == status if status else incident.c.status != IncidentStatus.MERGED.value
    rows = conn.execute(sa.select(incident).where(wanted).order_by(incident.c.id.desc()).limit(limit))
    return [_incident(row) for row in rows]


def get(conn: sa.Connection, number: str) -> Incident:
    """The incident of that id, or the one in which it lives on after a merge."""
    row = None
    at: int | None = int(number) if number.isascii() and number.isdigit() and len(number) <= _DIGITS else None
    while at is not None:
        row = conn.execute(sa.select(incident).where(incident.c.id == at)).first()
        at = row.merged_into if row else None
    if row is None:
        msg = f"no incident {number!r}; `firstcause incidents` lists them"
        raise NotFoundError(msg)
    return _incident(row)


def save(conn: sa.Connection, each: Incident) -> int:
    """Insert or update; returns the row."""
    values = {
        "fault": each.fault,
        "status": each.status.value,
        "root_code": each.root.code,
        "root_service": each.root.service,
        "root_tenant": each.root.tenant,
        "title": each.title,
        "priority": each.priority.value,
        "severity": each.severity.value,
        "impact": each.impact.model_dump(mode="json"),
        "suppressed": each.suppressed,
        "opened_at": each.opened_at,
        "resolved_at": each.resolved_at,
        "fix": each.fix,
        "acknowledged_at": each.acknowledged_at,
        "acknowledged_by": each.acknowledged_by,
        "drill": each.drill,
    }
    if each.stored_id is None:
        return int(conn.execute(incident.insert().values(values).returning(incident.c.id)).scalar_one())
    conn.execute(incident.update().where(incident.c.id == each.stored_id).values(values))
    return each.stored_id


def _by_hand() -> sa.Exists:
    """Whether it was a person's word that ended an incident."""
    ending = sa.select(timeline.c.actor).where(
        timeline.c.incident_id == incident.c.id,
        timeline.c.at == incident.c.resolved_at,
        timeline.c.actor != OURSELVES,
    )
    return ending.exists()


def closed_by_hand(conn: sa.Connection, numbers: Collection[int | None]) -> set[int]:
    """Those of the incidents that a person closed."""
    if not numbers:
        return set()
    closed = sa.select(incident.c.id).where(incident.c.id.in_(numbers), _by_hand())
    return set(conn.execute(closed).scalars())


def past_roots(conn: sa.Connection, since: datetime) -> dict[str, int]:
    """Service -> of how many incidents that were resolved since then it was the root."""
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
    return {str(service): int(number) for service, number in rows}


def ended_lately(conn: sa.Connection, fault: str, since: datetime) -> Incident | None:
    """The last incident of a fault that ended by itself, not by a person's word, at that time or later."""
    row = conn.execute(
        sa.select(incident)
        .where(
            incident.c.fault == fault,
            incident.c.status == IncidentStatus.RESOLVED.value,
            incident.c.resolved_at >= since,
            ~_by_hand(),
        )
        .order_by(incident.c.id.desc())
        .limit(1)
    ).first()
    return _incident(row) if row is not None else None


def merge(conn: sa.Connection, gone: int, into: int, now: datetime) -> None:
    conn.execute(
        incident.update()
        .where(incident.c.id == gone)
        .values(status=IncidentStatus.MERGED.value, merged_into=into, resolved_at=now)
    )
    conn.execute(alert.update().where(alert.c.incident_id == gone).values(incident_id=into))


def note(
    conn: sa.Connection,
    number: int,
    now: datetime,
    what: str,
    *,
    reason: str | None = None,
    actor: str = OURSELVES,
) -> None:
    """One line of an incident's timeline; what a person did is in the audit log too."""
    conn.execute(timeline.insert().values(incident_id=number, at=now, actor=actor, what=what, reason=reason))
    if actor != OURSELVES:
        audit.add(conn, now, actor, what, about=f"incident {number}", reason=reason)


def timeline_of(conn: sa.Connection, number: int) -> list[dict[str, Any]]:
    """What happened to an incident and to those that live on in it, which say their number, in order."""
    one = sa.select(incident.c.id).where(incident.c.id == number).cte(recursive=True)
    all_ = one.union(sa.select(incident.c.id).join(one, incident.c.merged_into == one.c.id))
    column = timeline.c
    rows = conn.execute(
        sa.select(column.incident_id, column.at, column.actor, column.what, column.reason)
        .where(column.incident_id.in_(sa.select(all_.c.id)))
        .order_by(column.id)
    )
    return [_line(row, number) for row in rows]


def _line(row: Any, number: int) -> dict[str, Any]:
    what = row.what if row.incident_id == number else f"incident {row.incident_id}: {row.what}"
    return {"at": row.at, "actor": row.actor, "what": what, "reason": row.reason}


def notifications_of(conn: sa.Connection, number: int) -> list[dict[str, Any]]:
    log = notification_log.c
    rows = conn.execute(
        sa.select(
            log.at, log.reason, log.notifier, log.status, log.text, log.reference, log.error, log.maybe_repeat
        )
        .where(log.incident_id == number)
        .order_by(log.id)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001


def of_event(conn: sa.Connection, event_id: str) -> int | None:
    """The incident whose alert an event was folded into, None where there is none."""
    newest = (
        sa.select(alert.c.incident_id)
        .join(
            event,
            sa.or_(event.c.fingerprint == alert.c.fingerprint, event.c.fingerprint == alert.c.former),
        )
        .where(event.c.event_id == event_id, alert.c.incident_id.is_not(None))
        .order_by(alert.c.id.desc())
        .limit(1)
    )
    return conn.execute(newest).scalar()


def counted(conn: sa.Connection, numbers: Collection[int]) -> list[dict[str, Any]]:
    """The alerts of incidents by role and code: incident_id, role, code, title, alerts, events, active."""
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
        .where(alert.c.incident_id.in_(numbers))
        .group_by(alert.c.incident_id, alert.c.role, alert.c.code)
        .order_by(alert.c.incident_id, sa.desc("events"), alert.c.code)
    )
    return [dict(row) | {"events": int(row["events"])} for row in rows.mappings()]


def of_tenant(conn: sa.Connection, tenant: str, limit: int) -> list[Incident]:
    """The latest incidents that hit a tenant, the newest first."""
    hit = sa.select(alert.c.incident_id).where(alert.c.tenant == tenant, alert.c.incident_id.is_not(None))
    wanted = sa.select(incident).where(incident.c.id.in_(hit)).order_by(incident.c.id.desc()).limit(limit)
    return [_incident(row) for row in conn.execute(wanted)]


def resolved_with(conn: sa.Connection, codes: Collection[str], but: int, limit: int) -> list[Incident]:
    """The latest that are over and had one of these codes as their root. but: not this one."""
    wanted = sa.select(incident).where(
        incident.c.root_code.in_(codes),
        incident.c.status == IncidentStatus.RESOLVED.value,
        incident.c.id != but,
        incident.c.drill.is_(False),
    )
    return [_incident(row) for row in conn.execute(wanted.order_by(incident.c.id.desc()).limit(limit))]


def opened_since(conn: sa.Connection, since: datetime | None) -> list[int]:
    """The numbers of those that began then or later, in order; merged ones live on in others."""
    wanted = sa.select(incident.c.id).where(incident.c.status != IncidentStatus.MERGED.value)
    if since is not None:
        wanted = wanted.where(incident.c.opened_at >= since)
    return list(conn.execute(wanted.order_by(incident.c.id)).scalars())


def codes_with_fix(conn: sa.Connection, codes: Collection[str]) -> list[str]:
    """Those of which somebody wrote how an incident was mended."""
    wanted = sa.select(incident.c.root_code).where(
        incident.c.root_code.in_(codes), incident.c.fix.is_not(None), incident.c.drill.is_(False)
    )
    return sorted(conn.execute(wanted.distinct()).scalars())


def with_root(conn: sa.Connection, code: str, limit: int) -> list[Incident]:
    """The latest whose root has that code, open or over; those that live on in another are left out."""
    wanted = sa.select(incident).where(incident.c.root_code == code, *_LIVES)
    return [_incident(row) for row in conn.execute(wanted.order_by(incident.c.id.desc()).limit(limit))]


def opened_between(conn: sa.Connection, since: datetime, until: datetime, limit: int) -> list[Incident]:
    """Those that began in that time, the newest first; drills left out."""
    within = incident.c.opened_at >= since, incident.c.opened_at <= until, *_LIVES
    listed = sa.select(incident).where(*within).order_by(incident.c.id.desc()).limit(limit)
    return [_incident(row) for row in conn.execute(listed)]


def ended_last(conn: sa.Connection, limit: int) -> list[Incident]:
    """The latest that are over, the newest first; drills left out."""
    over = incident.c.status == IncidentStatus.RESOLVED.value, incident.c.drill.is_(False)
    return [
        _incident(row)
        for row in conn.execute(sa.select(incident).where(*over).order_by(incident.c.id.desc()).limit(limit))
    ]
