"""What of the past goes: events, and incidents that ended long ago, in small transactions.

Nothing of an incident that is open goes, and nothing of an alert that is active.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus
from firstcause.store.tables import alert, event, incident, notification_log, outbox, ruling, timeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from firstcause.store.database import Database

EVENTS_AT_ONCE = 5000
INCIDENTS_AT_ONCE = 100


@dataclass(frozen=True)
class Past:
    """What may go: events from before `events`, and so many that no more than `most` stay; incidents that
    ended before `incidents`."""

    events: datetime
    incidents: datetime
    most: int


def _needed() -> sa.Select[tuple[str]]:
    """Fingerprints whose events stay."""
    return (
        sa.select(alert.c.fingerprint)
        .outerjoin(incident, incident.c.id == alert.c.incident_id)
        .where(sa.or_(alert.c.resolved_at.is_(None), incident.c.status == IncidentStatus.OPEN.value))
    )


def _old_events(conn: sa.Connection, past: Past) -> sa.ColumnElement[bool]:
    newest = conn.execute(sa.select(sa.func.max(event.c.id))).scalar() or 0
    too_many = event.c.id <= newest - past.most
    free = sa.or_(event.c.fingerprint.is_(None), event.c.fingerprint.not_in(_needed()))
    return sa.and_(sa.or_(event.c.triaged_at < past.events, too_many), free)


def _old_incidents(past: Past) -> sa.ColumnElement[bool]:
    return sa.and_(
        incident.c.status == IncidentStatus.RESOLVED.value, incident.c.resolved_at < past.incidents
    )


def _old_alerts(past: Past) -> sa.ColumnElement[bool]:
    """Those that never belonged to an incident."""
    return sa.and_(alert.c.incident_id.is_(None), alert.c.resolved_at < past.incidents)


def count(conn: sa.Connection, past: Past) -> tuple[int, int]:
    """How many events and incidents would go."""
    events = sa.select(sa.func.count()).select_from(event).where(_old_events(conn, past))
    gone = sa.select(sa.func.count()).select_from(incident).where(_old_incidents(past))
    return conn.execute(events).scalar_one(), conn.execute(gone).scalar_one()


def prune(database: Database, past: Past) -> Iterator[tuple[int, int]]:
    """After each transaction how many events and incidents it took; ends when nothing is left to go."""
    after = 0
    while True:
        with database.write() as conn:
            wanted = sa.select(event.c.id).where(event.c.id > after, _old_events(conn, past))
            ids = list(conn.execute(wanted.order_by(event.c.id).limit(EVENTS_AT_ONCE)).scalars())
            _delete(conn, event, event.c.id, ids)
        if not ids:
            break
        after = ids[-1]
        yield len(ids), 0
    while True:
        with database.write() as conn:
            numbers, alone = _prune_incidents(conn, past)
        if not numbers and not alone:
            return
        yield 0, numbers


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
