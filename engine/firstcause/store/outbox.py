"""The outbox: pending notifications. A row is claimed before it is sent, so that a crash loses none.

A row is pending while it has no outcome. held_by: the notifier whose rate limit delays the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.model import NotifyReason, Priority
from firstcause.store.tables import notification_log, outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

LEASE_S = 90.0
"""Seconds after which the sender of a claimed row without an outcome counts as crashed."""


@dataclass(frozen=True)
class PendingMessage:
    """A claimed row to deliver.

    position: index of the route's next notifier. attempts: made so far with that notifier.
    maybe_repeat: an earlier attempt may have delivered it. held_by: see above.
    """

    id: int
    incident_id: int
    reason: NotifyReason
    route: str
    notifiers: tuple[str, ...]
    position: int
    attempts: int
    maybe_repeat: bool
    held_by: str | None = None


def add(
    conn: sa.Connection,
    incident_id: int,
    reason: NotifyReason,
    due_at: datetime,
    routes: Mapping[str, Sequence[str]],
) -> None:
    """Add a notification for each route. routes: name -> its notifiers in order."""
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


def cancel(conn: sa.Connection, incident_id: int, route: str | None = None) -> int:
    """Cancel pending rows that were never tried; returns how many. route None: of all routes."""
    conditions = [
        outbox.c.incident_id == incident_id,
        outbox.c.outcome.is_(None),
        outbox.c.said_fault.is_(None),
        outbox.c.held_by.is_(None),
    ]
    if route is not None:
        conditions.append(outbox.c.route == route)
    return conn.execute(outbox.update().where(*conditions).values(outcome="cancelled")).rowcount


def advance(conn: sa.Connection, incident_id: int, route: str, due_at: datetime) -> None:
    """Make the first notification of a route due by then, where it waits for a later time."""
    conn.execute(
        outbox.update()
        .where(
            outbox.c.incident_id == incident_id,
            outbox.c.route == route,
            outbox.c.reason == NotifyReason.FIRST.value,
            outbox.c.outcome.is_(None),
            outbox.c.claimed_at.is_(None),
            outbox.c.attempts == 0,
            outbox.c.due_at > due_at,
        )
        .values(due_at=due_at)
    )


def move(conn: sa.Connection, merged_id: int, target_id: int) -> None:
    """Move the notifications of a merged incident to the incident that it was merged into."""
    conn.execute(outbox.update().where(outbox.c.incident_id == merged_id).values(incident_id=target_id))
    conn.execute(
        notification_log.update()
        .where(notification_log.c.incident_id == merged_id)
        .values(incident_id=target_id)
    )


def claim(conn: sa.Connection, now: datetime, limit: int = 20) -> list[PendingMessage]:
    """Claim rows that are due, and rows whose sender crashed; the latter are marked as possible repeats."""
    free = sa.or_(outbox.c.claimed_at.is_(None), outbox.c.claimed_at < now - timedelta(seconds=LEASE_S))
    rows = conn.execute(
        sa.select(outbox)
        .where(outbox.c.outcome.is_(None), outbox.c.due_at <= now, free)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [_claim_row(conn, row, now) for row in rows]


def count_pending(conn: sa.Connection) -> int:
    """Count the pending notifications."""
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.outcome.is_(None))
    return conn.execute(query).scalar_one()


def find_next_due(conn: sa.Connection) -> datetime | None:
    """Find when the next pending notification is due; None where there is none."""
    query = sa.select(outbox.c.due_at).where(outbox.c.outcome.is_(None)).order_by(outbox.c.due_at)
    return conn.execute(query.limit(1)).scalar()


def release_all(conn: sa.Connection) -> None:
    """Release all claims. For the start of the only daemon: its predecessor has ended."""
    conn.execute(
        outbox.update()
        .where(outbox.c.outcome.is_(None), outbox.c.claimed_at.is_not(None))
        .values(claimed_at=None, maybe_repeat=True)
    )


def _claim_row(conn: sa.Connection, row: Any, now: datetime) -> PendingMessage:
    maybe_repeat = row.maybe_repeat or row.claimed_at is not None
    conn.execute(
        outbox.update().where(outbox.c.id == row.id).values(claimed_at=now, maybe_repeat=maybe_repeat)
    )
    return PendingMessage(
        id=row.id,
        incident_id=row.incident_id,
        reason=NotifyReason(row.reason),
        route=row.route,
        notifiers=tuple(row.notifiers),
        position=row.position,
        attempts=row.attempts,
        maybe_repeat=maybe_repeat,
        held_by=row.held_by,
    )


def claim_held(conn: sa.Connection, notifier: str, now: datetime) -> list[PendingMessage]:
    """Claim all rows that the rate limit of a notifier delays, due or not, for one message."""
    rows = conn.execute(
        sa.select(outbox)
        .where(outbox.c.outcome.is_(None), outbox.c.held_by == notifier, outbox.c.claimed_at.is_(None))
        .order_by(outbox.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    return [_claim_row(conn, row, now) for row in rows]


def mark_sending(conn: sa.Connection, row_id: int, fault: str, priority: Priority) -> None:
    """Record the root and priority that the message names; from here on they count as notified."""
    values = {"said_fault": fault, "said_priority": priority.value, "held_by": None}
    conn.execute(outbox.update().where(outbox.c.id == row_id).values(values))


def close(conn: sa.Connection, row_id: int, outcome: str, now: datetime, error: str | None = None) -> None:
    """Finish a row. outcome: sent, cancelled or given up; only a sent one counts as notified."""
    values: dict[str, Any] = {"outcome": outcome, "error": error, "claimed_at": None, "closed_at": now}
    if outcome != "sent":
        values["said_fault"] = None
    conn.execute(outbox.update().where(outbox.c.id == row_id).values(values))


def defer(
    conn: sa.Connection,
    message: PendingMessage,
    due_at: datetime,
    position: int | None = None,
    held_by: str | None = None,
) -> None:
    """Release a claimed row until then.

    position: index of the next notifier; None keeps it. held_by: the notifier whose rate limit is reached.
    """
    new_position = message.position if position is None else position
    values = {"due_at": due_at, "position": new_position, "held_by": held_by, "claimed_at": None}
    conn.execute(outbox.update().where(outbox.c.id == message.id).values(values))


def list_untried(conn: sa.Connection, now: datetime) -> list[tuple[int, tuple[str, ...]]]:
    """List the rows that are due and that nobody tried to send, with the notifiers of each."""
    rows = conn.execute(
        sa.select(outbox.c.id, outbox.c.notifiers)
        .where(
            outbox.c.outcome.is_(None),
            outbox.c.due_at <= now,
            outbox.c.claimed_at.is_(None),
            outbox.c.held_by.is_(None),
            outbox.c.said_fault.is_(None),
            outbox.c.attempts == 0,
            outbox.c.position == 0,
        )
        .order_by(outbox.c.id)
    )
    return [(row.id, tuple(row.notifiers)) for row in rows]


def hold(conn: sa.Connection, row_ids: Collection[int], notifier: str) -> None:
    """Have a notifier send these rows as one message, as if its rate limit had held them back."""
    conn.execute(outbox.update().where(outbox.c.id.in_(row_ids)).values(held_by=notifier))


def is_pending(conn: sa.Connection, row_id: int) -> bool:
    """Check whether a claimed row is still pending; it may have been cancelled since."""
    query = sa.select(outbox.c.id).where(outbox.c.id == row_id, outbox.c.outcome.is_(None))
    return conn.execute(query).first() is not None


def has_pending(conn: sa.Connection, incident_id: int) -> bool:
    """Check whether an incident has pending notifications."""
    query = sa.select(outbox.c.id).where(outbox.c.incident_id == incident_id, outbox.c.outcome.is_(None))
    return conn.execute(query.limit(1)).first() is not None


def list_outcomes(conn: sa.Connection, incident_id: int) -> list[dict[str, Any]]:
    """List the notifications of an incident: rows with route, outcome (None while pending), error."""
    columns = outbox.c.route, outbox.c.outcome, outbox.c.error
    rows = conn.execute(sa.select(*columns).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id))
    return [dict(row) for row in rows.mappings()]


def list_sent_since(conn: sa.Connection, notifier: str, since: datetime) -> list[datetime]:
    """List the times when a notifier delivered, after that time, oldest first."""
    query = sa.select(notification_log.c.at).where(
        notification_log.c.notifier == notifier,
        notification_log.c.status == "sent",
        notification_log.c.at > since,
    )
    return list(conn.execute(query.order_by(notification_log.c.at)).scalars())


def schedule_retry(
    conn: sa.Connection,
    row_id: int,
    *,
    due_at: datetime,
    position: int,
    attempts: int,
    error: str,
    held_by: str | None = None,
) -> None:
    """Retry at `due_at` with the notifier at `position`. A failed attempt does not count as notified."""
    conn.execute(
        outbox.update()
        .where(outbox.c.id == row_id)
        .values(
            due_at=due_at,
            position=position,
            attempts=attempts,
            error=error,
            held_by=held_by,
            claimed_at=None,
            said_fault=None,
        )
    )


def add_log_entry(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    """Add an attempted delivery to the notification log. values: column -> value."""
    conn.execute(notification_log.insert().values(**values))
