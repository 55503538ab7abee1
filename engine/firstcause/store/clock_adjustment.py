"""Adjust stored times after the system clock was set back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.store import tables

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import sqlalchemy as sa

_PAST_COLUMNS = {
    tables.incident: ("opened_at", "resolved_at", "acknowledged_at"),
    tables.alert: ("first_seen", "last_seen", "resolved_at", "received_at"),
    tables.outbox: ("claimed_at", "closed_at"),
    tables.notification_log: ("at",),
    tables.notification_registry: ("first_seen", "last_seen"),
}
"""Columns that hold past times, which cannot be later than now."""


def adjust_times(conn: sa.Connection, offset: timedelta, now: datetime) -> None:
    """Move past times that lie in the future to now, and pending notifications forward by `offset`.

    Otherwise errors would count as late occurrences of an alert that was resolved in that future, and
    notifications would wait for it.
    """
    for table, names in _PAST_COLUMNS.items():
        for name in names:
            column = table.c[name]
            conn.execute(table.update().where(column > now).values({name: now}))
    columns = tables.outbox.c
    rows = conn.execute(tables.outbox.select().where(columns.outcome.is_(None), columns.due_at > now)).all()
    for row in rows:
        due_at = max(now, row.due_at - offset)
        conn.execute(tables.outbox.update().where(columns.id == row.id).values(due_at=due_at))
