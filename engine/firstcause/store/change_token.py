"""A token that changes with the data that people look at, read by three cheap queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import alert, audit, health_snapshot, notification_log, silence, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_change_token(conn: sa.Connection) -> Sequence[object]:
    """Read the token; its values change whenever something was added, resolved or counted."""
    newest = [
        sa.select(sa.func.max(table.c.id)).scalar_subquery()
        for table in (timeline, notification_log, health_snapshot, silence, audit)
    ]
    active = sa.select(sa.func.count(), sa.func.sum(alert.c.count)).where(alert.c.resolved_at.is_(None))
    ends = sa.select(sa.func.max(silence.c.ends_at), sa.func.min(silence.c.ends_at))
    return (
        *conn.execute(sa.select(*newest)).one(),
        *conn.execute(active).one(),
        *conn.execute(ends).one(),
    )
