"""The outbox: what is to be said, by whom, from when; claimed before it is sent, so a crash loses none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import IncidentStatus, NotifyReason
from firstcause.core.policy import Told
from firstcause.store.tables import incident, notification_log, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

LEASE = 90.0
"""Seconds after which a claimed row whose sender said nothing is taken to have crashed."""


@dataclass(frozen=True)
class Waiting:
    """One row to deliver. position: which notifier of the route is next. attempts: with that notifier."""

    id: int
    incident_id: int
    reason: NotifyReason
    route: str
    notifiers: tuple[str, ...]
    position: int
    attempts: int
    maybe_repeat: bool


def add(
    conn: sa.Connection,
    incident_id: int,
    reason: NotifyReason,
    due_at: datetime,
    routes: Mapping[str, Sequence[str]],
) -> None:
    """One row a route. routes: name -> its notifiers in order."""
    for route, notifiers in routes.items():
        conn.execute(
            outbox.insert().values(
                incident_id=incident_id,
                reason=reason.value,
                route=route,
                notifiers=list(notifiers),
                due_at=due_at,
                maybe_repeat=False,
            )
        )


def told(conn: sa.Connection, incident_id: int) -> Told:
    """What is queued or said of an incident. A row under way counts as said."""
    rows = conn.execute(
        sa.select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    ).all()
    said = [row for row in rows if row.said_fault is not None or _ends(row)]
    over = bool(said) and _ends(said[-1])
    waiting = {row.reason for row in rows if row.outcome is None and row.said_fault is None}
    return Told(
        first_queued=NotifyReason.FIRST.value in waiting,
        said_fault=said[-1].said_fault if said and not over else None,
        over=over,
        new_root_queued=NotifyReason.NEW_ROOT.value in waiting,
    )


def _ends(row: Any) -> bool:
    """Whether a row says, or is about to say, that it is over."""
    return bool(row.reason == NotifyReason.RESOLVED.value and row.outcome != "cancelled")


def said_faults(conn: sa.Connection) -> frozenset[str]:
    """The faults that people were told are the roots of what is open; of each incident the last."""
    rows = conn.execute(
        sa.select(outbox.c.incident_id, outbox.c.said_fault)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(incident.c.status == IncidentStatus.OPEN.value, outbox.c.said_fault.is_not(None))
        .order_by(outbox.c.id)
    )
    return frozenset({row.incident_id: row.said_fault for row in rows}.values())


def cancel(conn: sa.Connection, incident_id: int) -> None:
    """Drop what waits and was never tried."""
    conn.execute(
        outbox.update()
        .where(outbox.c.incident_id == incident_id, outbox.c.outcome.is_(None), outbox.c.said_fault.is_(None))
        .values(outcome="cancelled")
    )


def move(conn: sa.Connection, gone: int, into: int) -> None:
    """What was said of a merged incident counts for the one in which it lives on."""
    conn.execute(outbox.update().where(outbox.c.incident_id == gone).values(incident_id=into))
    conn.execute(
        notification_log.update().where(notification_log.c.incident_id == gone).values(incident_id=into)
    )


def claim(conn: sa.Connection, now: datetime, limit: int = 20) -> list[Waiting]:
    """Take rows that are due, and rows whose sender crashed; those may have been sent, and say so."""
    free = sa.or_(outbox.c.claimed_at.is_(None), outbox.c.claimed_at < now - timedelta(seconds=LEASE))
    rows = conn.execute(
        sa.select(outbox)
        .where(outbox.c.outcome.is_(None), outbox.c.due_at <= now, free)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [_claimed(conn, row, now) for row in rows]


def count_waiting(conn: sa.Connection) -> int:
    """How many messages are still to be said."""
    waiting = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.outcome.is_(None))
    return conn.execute(waiting).scalar_one()


def release_all(conn: sa.Connection) -> None:
    """At start of the only daemon: rows claimed by its predecessor, which is gone, are free again."""
    conn.execute(
        outbox.update()
        .where(outbox.c.outcome.is_(None), outbox.c.claimed_at.is_not(None))
        .values(claimed_at=None, maybe_repeat=True)
    )


def _claimed(conn: sa.Connection, row: Any, now: datetime) -> Waiting:
    repeat = row.maybe_repeat or row.claimed_at is not None
    conn.execute(outbox.update().where(outbox.c.id == row.id).values(claimed_at=now, maybe_repeat=repeat))
    return Waiting(
        id=row.id,
        incident_id=row.incident_id,
        reason=NotifyReason(row.reason),
        route=row.route,
        notifiers=tuple(row.notifiers),
        position=row.position,
        attempts=row.attempts,
        maybe_repeat=repeat,
    )


def under_way(conn: sa.Connection, row: int, fault: str) -> None:
    """The text is made and names this root; from here on the incident counts as told."""
    conn.execute(outbox.update().where(outbox.c.id == row).values(said_fault=fault))


def close(conn: sa.Connection, row: int, outcome: str, error: str | None = None) -> None:
    """outcome: sent, cancelled, or given up."""
    conn.execute(
        outbox.update().where(outbox.c.id == row).values(outcome=outcome, error=error, claimed_at=None)
    )


def later(
    conn: sa.Connection, row: int, *, due_at: datetime, position: int, attempts: int, error: str
) -> None:
    """Try again at due_at, with the notifier at `position`. A failed attempt said nothing to anybody."""
    conn.execute(
        outbox.update()
        .where(outbox.c.id == row)
        .values(
            due_at=due_at, position=position, attempts=attempts, error=error, claimed_at=None, said_fault=None
        )
    )


def log(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    conn.execute(notification_log.insert().values(**values))
