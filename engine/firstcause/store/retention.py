"""Prune old events and incidents in small transactions.

Open incidents and active alerts stay, with all their events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus
from firstcause.store import disk_usage
from firstcause.store.tables import (
    alert,
    event,
    incident,
    notification_log,
    outbox,
    receiver_state,
    ruling,
    timeline,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from firstcause.store.database import Database

EVENT_CHUNK_SIZE = 5000
INCIDENT_CHUNK_SIZE = 100


@dataclass(frozen=True)
class RetentionLimits:
    """What the store may keep.

    events_before: events triaged before then are pruned. max_events: so many of the newest events stay.
    incidents_before: incidents resolved before then are pruned.
    max_bytes: the oldest events are pruned until the store uses no more; None: no limit.
    """

    events_before: datetime
    incidents_before: datetime
    max_events: int
    max_bytes: int | None = None


class PruneCount(NamedTuple):
    """How many were pruned. excess_bytes: bytes above the limit where nothing more may be pruned."""

    events: int
    incidents: int
    excess_bytes: int = 0


def _select_protected() -> sa.Select[tuple[str]]:
    """Select the fingerprints whose events stay."""
    return (
        sa.select(alert.c.fingerprint)
        .outerjoin(incident, incident.c.id == alert.c.incident_id)
        .where(sa.or_(alert.c.resolved_at.is_(None), incident.c.status == IncidentStatus.OPEN.value))
    )


def _is_prunable() -> sa.ColumnElement[bool]:
    return sa.or_(event.c.fingerprint.is_(None), event.c.fingerprint.not_in(_select_protected()))


def _are_old_events(conn: sa.Connection, limits: RetentionLimits) -> sa.ColumnElement[bool]:
    newest = conn.execute(sa.select(sa.func.max(event.c.id))).scalar() or 0
    too_many = event.c.id <= newest - limits.max_events
    return sa.or_(event.c.triaged_at < limits.events_before, too_many)


def _are_old_incidents(limits: RetentionLimits) -> sa.ColumnElement[bool]:
    return sa.and_(
        incident.c.status == IncidentStatus.RESOLVED.value, incident.c.resolved_at < limits.incidents_before
    )


def _are_old_alerts(limits: RetentionLimits) -> sa.ColumnElement[bool]:
    """Build the condition for old alerts that never belonged to an incident."""
    return sa.and_(alert.c.incident_id.is_(None), alert.c.resolved_at < limits.incidents_before)


def count_prunable(conn: sa.Connection, limits: RetentionLimits) -> PruneCount:
    """Count what would be pruned. The events that go by `max_bytes` are an estimate by their sizes."""
    old = _are_old_events(conn, limits)
    events = conn.execute(
        sa.select(sa.func.count()).select_from(event).where(_is_prunable(), old)
    ).scalar_one()
    ended = sa.select(sa.func.count()).select_from(incident).where(_are_old_incidents(limits))
    incidents = conn.execute(ended).scalar_one()
    excess = 0 if limits.max_bytes is None else disk_usage.measure_excess(conn, limits.max_bytes)
    if excess:
        freed = conn.execute(
            sa.select(sa.func.sum(disk_usage.estimate_event_size(conn))).where(_is_prunable(), old)
        ).scalar()
        excess -= int(freed or 0)
    if excess <= 0:
        return PruneCount(events, incidents)
    size = disk_usage.estimate_event_size(conn)
    before = sa.func.sum(size).over(order_by=event.c.id) - size
    remaining = sa.select(size.label("own"), before.label("before")).where(_is_prunable(), ~old).subquery()
    query = sa.select(sa.func.count(), sa.func.sum(remaining.c.own)).where(remaining.c.before < excess)
    extra_events, freed = conn.execute(query).one()
    return PruneCount(events + extra_events, incidents, max(0, excess - int(freed or 0)))


def prune(database: Database, limits: RetentionLimits) -> Iterator[PruneCount]:
    """Prune in small transactions; yields what each of them pruned."""
    yield from _prune_old(database, limits)
    while True:
        with database.write() as conn:
            incident_count, alert_count = _prune_incidents(conn, limits)
        if not incident_count and not alert_count:
            break
        yield PruneCount(0, incident_count)
    if limits.max_bytes is not None:
        yield from _prune_to_size(database, limits.max_bytes)


def _prune_old(database: Database, limits: RetentionLimits) -> Iterator[PruneCount]:
    last_id = 0
    while True:
        with database.read() as conn:
            query = sa.select(event.c.id).where(
                event.c.id > last_id, _is_prunable(), _are_old_events(conn, limits)
            )
            ids = list(conn.execute(query.order_by(event.c.id).limit(EVENT_CHUNK_SIZE)).scalars())
        if not ids:
            return
        last_id = ids[-1]
        yield PruneCount(_delete_events(database, ids), 0)


def _prune_to_size(database: Database, max_bytes: int) -> Iterator[PruneCount]:
    last_id = needed_bytes = 0
    while True:
        with database.read() as conn:
            # Measured again when enough should be freed, as the sizes of events are estimates.
            needed_bytes = needed_bytes if needed_bytes > 0 else disk_usage.measure_excess(conn, max_bytes)
            query = sa.select(event.c.id, disk_usage.estimate_event_size(conn)).where(
                event.c.id > last_id, _is_prunable()
            )
            in_order = query.order_by(event.c.id).limit(EVENT_CHUNK_SIZE)
            rows = conn.execute(in_order).all() if needed_bytes else []
            excess = disk_usage.measure_excess(conn, max_bytes) if needed_bytes and not rows else 0
        if not rows:
            if excess:
                yield PruneCount(0, 0, excess)
            return
        ids, freed = select_until_freed(rows, needed_bytes)
        last_id, needed_bytes = ids[-1], needed_bytes - freed
        yield PruneCount(_delete_events(database, ids), 0)


def select_until_freed(rows: Iterable[tuple[int, int]], needed_bytes: int) -> tuple[list[int], int]:
    """Select the first ids that free so many bytes together, or all; returns them and the bytes."""
    ids, freed = [], 0
    for row_id, size in rows:
        if freed >= needed_bytes:
            break
        ids.append(row_id)
        freed += size
    return ids, freed


def _delete_events(database: Database, ids: Collection[int]) -> int:
    """Delete those of the events that are still prunable; returns how many."""
    with database.write() as conn:
        deletable = list(
            conn.execute(sa.select(event.c.id).where(event.c.id.in_(ids), _is_prunable())).scalars()
        )
        _delete_rows(conn, event, event.c.id, deletable)
    return len(deletable)


def _prune_incidents(conn: sa.Connection, limits: RetentionLimits) -> tuple[int, int]:
    """Prune one chunk; returns the numbers of incidents and of alerts without an incident."""
    query = sa.select(incident.c.id).where(_are_old_incidents(limits)).order_by(incident.c.id)
    incident_ids = list(conn.execute(query.limit(INCIDENT_CHUNK_SIZE)).scalars())
    # Incidents that were merged into these go too, and those merged into them.
    merged = incident_ids
    while merged:
        merged_query = sa.select(incident.c.id).where(incident.c.merged_into.in_(merged))
        merged = list(conn.execute(merged_query).scalars())
        incident_ids = [*merged, *incident_ids]
    members = sa.select(alert.c.id).where(alert.c.incident_id.in_(incident_ids))
    lone_query = (
        sa.select(alert.c.id).where(_are_old_alerts(limits)).order_by(alert.c.id).limit(EVENT_CHUNK_SIZE)
    )
    lone_ids = list(conn.execute(lone_query).scalars())
    alert_ids = [*conn.execute(members).scalars(), *lone_ids]
    _delete_rows(conn, ruling, ruling.c.effect_id, alert_ids)
    _delete_rows(conn, ruling, ruling.c.cause_id, alert_ids)
    _delete_rows(conn, alert, alert.c.id, alert_ids)
    for table in (notification_log, outbox, receiver_state, timeline):
        _delete_rows(conn, table, table.c.incident_id, incident_ids)
    conn.execute(incident.update().where(incident.c.id.in_(incident_ids)).values(merged_into=None))
    _delete_rows(conn, incident, incident.c.id, incident_ids)
    return len(incident_ids), len(lone_ids)


def _delete_rows(
    conn: sa.Connection, table: sa.Table, column: sa.Column[int], values: Collection[int]
) -> None:
    if values:
        conn.execute(
            table.delete().where(column == sa.bindparam("value")), [{"value": value} for value in values]
        )
