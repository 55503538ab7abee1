"""The outbox: pending notifications. A row is claimed before it is sent, so that a crash loses none.

A row is pending while it has no outcome. held_by: the notifier whose rate limit delays the row.
failures: how often no notifier of the route could deliver the row. noted_until: the end of the wait that the
timeline shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.notification import NotifyReason
from firstcause.store.tables import incident, notification_log, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.model import Priority

LEASE_S = 90.0
"""Seconds after which the sender of a claimed row without an outcome counts as crashed."""


@dataclass(frozen=True)
class PendingMessage:
    """A claimed row to deliver.

    position: index of the route's next notifier. attempts: made so far with that notifier.
    held_by, failures, noted_until: see above.
    """

    id: int
    incident_id: int
    reason: NotifyReason
    route: str
    notifiers: tuple[str, ...]
    position: int
    attempts: int
    held_by: str | None = None
    failures: int = 0
    noted_until: datetime | None = None


@dataclass(frozen=True)
class DeliveryCheck:
    """A question to a notifier: what became of a message? rows: those that the message delivered."""

    notifier: str
    reference: str
    rows: tuple[PendingMessage, ...]


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
            outbox.c.failures == 0,
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


def claim(
    conn: sa.Connection, now: datetime, limit: int = 20, busy: Collection[str] | None = None
) -> list[PendingMessage]:
    """Claim rows that are due, or whose sender crashed: the most urgent incidents first, then the oldest.

    Of the rows that a rate limit held back one is claimed for each notifier; `claim_held` claims the others.

    busy: None claims any rows. Otherwise at most one row is claimed for each notifier, and none for those
        that are busy, so that a row waits for its own notifier only.
    """
    free = sa.or_(outbox.c.claimed_at.is_(None), outbox.c.claimed_at < now - timedelta(seconds=LEASE_S))
    candidates = conn.execute(
        sa.select(outbox.c.id, outbox.c.notifiers, outbox.c.position, outbox.c.held_by)
        .join(incident, incident.c.id == outbox.c.incident_id)
        .where(outbox.c.outcome.is_(None), outbox.c.due_at <= now, free)
        .order_by(incident.c.priority, outbox.c.due_at, outbox.c.id)
    )
    taken, held = set(busy or ()), set()
    claimed: list[PendingMessage] = []
    for candidate in candidates.all():
        notifier = candidate.notifiers[candidate.position]
        if (busy is not None and notifier in taken) or candidate.held_by in held:
            continue
        row = conn.execute(
            sa.select(outbox)
            .where(outbox.c.id == candidate.id, outbox.c.outcome.is_(None), free)
            .with_for_update(skip_locked=True)
        ).first()
        if row is not None:
            taken.add(notifier)
            held |= {row.held_by} - {None}
            claimed.append(_claim_row(conn, row, now))
        if len(claimed) == limit:
            break
    return claimed


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
        .values(claimed_at=None)
    )


def _claim_row(conn: sa.Connection, row: Any, now: datetime) -> PendingMessage:
    conn.execute(outbox.update().where(outbox.c.id == row.id).values(claimed_at=now))
    return _parse_row(row)


def _parse_row(row: Any) -> PendingMessage:
    return PendingMessage(
        id=row.id,
        incident_id=row.incident_id,
        reason=NotifyReason(row.reason),
        route=row.route,
        notifiers=tuple(row.notifiers),
        position=row.position,
        attempts=row.attempts,
        held_by=row.held_by,
        failures=row.failures,
        noted_until=row.noted_until,
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


def record_sender(
    conn: sa.Connection, row_id: int, notifier: str, reference: str | None, check_at: datetime | None
) -> None:
    """Record who sent a row. check_at: when to ask what became of the message; None for never."""
    values = {"sent_by": notifier, "reference": reference, "check_at": check_at, "checks": 0}
    conn.execute(outbox.update().where(outbox.c.id == row_id).values(values))


def defer(
    conn: sa.Connection,
    message: PendingMessage,
    due_at: datetime | None = None,
    position: int | None = None,
    held_by: str | None = None,
    *,
    noted_until: datetime | None = None,
) -> None:
    """Release a claimed row until then.

    due_at: None leaves it due. position: index of the next notifier; None keeps it.
    held_by: the notifier whose rate limit is reached. noted_until: see above; None keeps it.
    """
    values = {
        "position": message.position if position is None else position,
        "held_by": held_by,
        "claimed_at": None,
        "noted_until": message.noted_until if noted_until is None else noted_until,
    }
    if due_at is not None:
        values["due_at"] = due_at
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


def claim_checks(
    conn: sa.Connection,
    now: datetime,
    busy: Collection[str],
    plan_check: Callable[[int, datetime], datetime | None],
) -> list[DeliveryCheck]:
    """Claim the sent messages whose delivery is to be checked now. The next check is planned at once.

    busy: notifiers that are left out. plan_check: takes how often a message was checked, and now.
    """
    rows = conn.execute(
        sa.select(outbox)
        .where(outbox.c.outcome == "sent", outbox.c.check_at <= now, outbox.c.sent_by.not_in(list(busy)))
        .order_by(outbox.c.check_at, outbox.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    checks: dict[tuple[str, str], list[PendingMessage]] = {}
    for row in rows:
        next_at = plan_check(row.checks + 1, now)
        values = {"check_at": next_at, "checks": row.checks + 1}
        conn.execute(outbox.update().where(outbox.c.id == row.id).values(values))
        checks.setdefault((row.sent_by, row.reference), []).append(_parse_row(row))
    return [
        DeliveryCheck(notifier, reference, tuple(messages))
        for (notifier, reference), messages in checks.items()
    ]


def has_due_checks(conn: sa.Connection, now: datetime) -> bool:
    """Check whether the delivery of any sent message is to be checked now."""
    query = sa.select(outbox.c.id).where(outbox.c.outcome == "sent", outbox.c.check_at <= now)
    return conn.execute(query.limit(1)).first() is not None


def end_checks(conn: sa.Connection, rows: Sequence[PendingMessage]) -> None:
    """Check the delivery of these messages no further."""
    row_ids = [row.id for row in rows]
    conn.execute(outbox.update().where(outbox.c.id.in_(row_ids)).values(check_at=None))


def has_sent_other(conn: sa.Connection, message: PendingMessage, notifier: str) -> bool:
    """Check whether a notifier sent another message about the same open incident for the same route."""
    query = sa.select(outbox.c.id).where(
        outbox.c.incident_id == message.incident_id,
        outbox.c.route == message.route,
        outbox.c.sent_by == notifier,
        outbox.c.outcome == "sent",
        outbox.c.reason != NotifyReason.RESOLVED.value,
        outbox.c.id != message.id,
    )
    return conn.execute(query.limit(1)).first() is not None


def mark_log_failed(conn: sa.Connection, row_id: int, notifier: str, error: str) -> None:
    """Mark a message in the notification log as failed which had counted as sent."""
    columns = notification_log.c
    conn.execute(
        notification_log.update()
        .where(columns.outbox_id == row_id, columns.notifier == notifier, columns.status == "sent")
        .values(status="failed", error=error)
    )


def schedule_retry(
    conn: sa.Connection,
    row_id: int,
    *,
    due_at: datetime,
    position: int,
    attempts: int,
    error: str,
    held_by: str | None = None,
    failures: int | None = None,
) -> None:
    """Retry at `due_at` with the notifier at `position`. A failed attempt does not count as notified.

    failures: how often the whole route failed; None keeps the number.
    """
    values: dict[str, Any] = {
        "due_at": due_at,
        "position": position,
        "attempts": attempts,
        "error": error,
        "held_by": held_by,
        "claimed_at": None,
        "said_fault": None,
        "outcome": None,
        "check_at": None,
        "closed_at": None,
    }
    if failures is not None:
        values["failures"] = failures
    conn.execute(outbox.update().where(outbox.c.id == row_id).values(values))


def add_log_entry(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    """Add an attempted delivery to the notification log. values: column -> value."""
    conn.execute(notification_log.insert().values(**values))
