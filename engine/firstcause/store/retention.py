"""What of the past goes: events, and incidents that ended long ago, in small transactions.

Nothing of an incident that is open goes, and nothing of an alert that is active.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus
from firstcause.store import disk_usage
from firstcause.store.tables import alert, event, incident, notification_log, outbox, ruling, timeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from firstcause.store.database import Database

EVENTS_AT_ONCE = 5000
INCIDENTS_AT_ONCE = 100


@dataclass(frozen=True)
class Past:
    """What may go: events from before `events`, and so many that no more than `most` stay; incidents that
    ended before `incidents`; then the oldest events, until no more than `room` bytes are used, None for any.
    """

    events: datetime
    incidents: datetime
    most: int
    room: int | None = None


class Going(NamedTuple):
    """How many go. over: bytes that are used above the room even so, where nothing more may go."""

    events: int
    incidents: int
    over: int = 0


def _needed() -> sa.Select[tuple[str]]:
    """Fingerprints whose events stay."""
    return (
        sa.select(alert.c.fingerprint)
        .outerjoin(incident, incident.c.id == alert.c.incident_id)
        .where(sa.or_(alert.c.resolved_at.is_(None), incident.c.status == IncidentStatus.OPEN.value))
    )


def _free() -> sa.ColumnElement[bool]:
    return sa.or_(event.c.fingerprint.is_(None), event.c.fingerprint.not_in(_needed()))


def _old_events(conn: sa.Connection, past: Past) -> sa.ColumnElement[bool]:
    newest = conn.execute(sa.select(sa.func.max(event.c.id))).scalar() or 0
    too_many = event.c.id <= newest - past.most
    return sa.or_(event.c.triaged_at < past.events, too_many)


def _old_incidents(past: Past) -> sa.ColumnElement[bool]:
    return sa.and_(
        incident.c.status == IncidentStatus.RESOLVED.value, incident.c.resolved_at < past.incidents
    )


def _old_alerts(past: Past) -> sa.ColumnElement[bool]:
    """Those that never belonged to an incident."""
    return sa.and_(alert.c.incident_id.is_(None), alert.c.resolved_at < past.incidents)


def count(conn: sa.Connection, past: Past) -> Going:
    """What would go. How many events the room costs is an estimate, by their sizes."""
    old = _old_events(conn, past)
    events = conn.execute(sa.select(sa.func.count()).select_from(event).where(_free(), old)).scalar_one()
    ended = sa.select(sa.func.count()).select_from(incident).where(_old_incidents(past))
    incidents = conn.execute(ended).scalar_one()
    over = 0 if past.room is None else disk_usage.over(conn, past.room)
    if over:
        freed = conn.execute(sa.select(sa.func.sum(disk_usage.of_event(conn))).where(_free(), old)).scalar()
        over -= int(freed or 0)
    if over <= 0:
        return Going(events, incidents)
    own = disk_usage.of_event(conn)
    before = sa.func.sum(own).over(order_by=event.c.id) - own
    further = sa.select(own.label("own"), before.label("before")).where(_free(), ~old).subquery()
    going = sa.select(sa.func.count(), sa.func.sum(further.c.own)).where(further.c.before < over)
    more, freed = conn.execute(going).one()
    return Going(events + more, incidents, max(0, over - int(freed or 0)))


def prune(database: Database, past: Past) -> Iterator[Going]:
    """After each transaction what it took; ends when nothing is left to go."""
    yield from _prune_old(database, past)
    while True:
        with database.write() as conn:
            numbers, alone = _prune_incidents(conn, past)
        if not numbers and not alone:
            break
        yield Going(0, numbers)
    if past.room is not None:
        yield from _make_room(database, past.room)


def _prune_old(database: Database, past: Past) -> Iterator[Going]:
    after = 0
    while True:
        with database.read() as conn:
            wanted = sa.select(event.c.id).where(event.c.id > after, _free(), _old_events(conn, past))
            ids = list(conn.execute(wanted.order_by(event.c.id).limit(EVENTS_AT_ONCE)).scalars())
        if not ids:
            return
        after = ids[-1]
        yield Going(_forget(database, ids), 0)


def _make_room(database: Database, room: int) -> Iterator[Going]:
    after = need = 0
    while True:
        with database.read() as conn:
            # Measured again after what should have been enough: sizes of events are estimates.
            need = need if need > 0 else disk_usage.over(conn, room)
            wanted = sa.select(event.c.id, disk_usage.of_event(conn)).where(event.c.id > after, _free())
            in_order = wanted.order_by(event.c.id).limit(EVENTS_AT_ONCE)
            rows = conn.execute(in_order).all() if need else []
            over = disk_usage.over(conn, room) if need and not rows else 0
        if not rows:
            if over:
                yield Going(0, 0, over)
            return
        ids, freed = enough(rows, need)
        after, need = ids[-1], need - freed
        yield Going(_forget(database, ids), 0)


def enough(rows: Iterable[tuple[int, int]], need: int) -> tuple[list[int], int]:
    """The first of the ids that take so many bytes together, all where they take less; and what they take."""
    ids, freed = [], 0
    for number, own in rows:
        if freed >= need:
            break
        ids.append(number)
        freed += own
    return ids, freed


def _forget(database: Database, ids: Collection[int]) -> int:
    """How many of these events went. They were looked for without keeping others from writing."""
    with database.write() as conn:
        still = list(conn.execute(sa.select(event.c.id).where(event.c.id.in_(ids), _free())).scalars())
        _delete(conn, event, event.c.id, still)
    return len(still)


def _prune_incidents(conn: sa.Connection, past: Past) -> tuple[int, int]:
    """How many incidents and lone alerts went."""
    wanted = sa.select(incident.c.id).where(_old_incidents(past)).order_by(incident.c.id)
    numbers = list(conn.execute(wanted.limit(INCIDENTS_AT_ONCE)).scalars())
    # Those that live on in one that goes, and what lives on in these.
    merged = numbers
    while merged:
        into = sa.select(incident.c.id).where(incident.c.merged_into.in_(merged))
        merged = list(conn.execute(into).scalars())
        numbers = [*merged, *numbers]
    members = sa.select(alert.c.id).where(alert.c.incident_id.in_(numbers))
    lone = sa.select(alert.c.id).where(_old_alerts(past)).order_by(alert.c.id).limit(EVENTS_AT_ONCE)
    alone = list(conn.execute(lone).scalars())
    rows = [*conn.execute(members).scalars(), *alone]
    _delete(conn, ruling, ruling.c.effect_id, rows)
    _delete(conn, ruling, ruling.c.cause_id, rows)
    _delete(conn, alert, alert.c.id, rows)
    for table in (notification_log, outbox, timeline):
        _delete(conn, table, table.c.incident_id, numbers)
    conn.execute(incident.update().where(incident.c.id.in_(numbers)).values(merged_into=None))
    _delete(conn, incident, incident.c.id, numbers)
    return len(numbers), len(alone)


def _delete(conn: sa.Connection, table: sa.Table, column: sa.Column[int], values: Collection[int]) -> None:
    if values:
        conn.execute(
            table.delete().where(column == sa.bindparam("gone")), [{"gone": each} for each in values]
        )
