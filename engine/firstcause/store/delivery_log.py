"""Reads from the log of messages which notifiers fail, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.selfcheck.state import Failure
from firstcause.store.tables import notification_log

if TYPE_CHECKING:
    from collections.abc import Collection

_columns = notification_log.c


def find_failing_notifiers(conn: sa.Connection, names: Collection[str]) -> dict[str, Failure]:
    """Return the notifiers whose last attempt failed: since the first failure after the last success."""
    failures: dict[str, Failure] = {}
    for name in names:
        mine = _columns.notifier == name
        last = conn.execute(
            sa.select(_columns.status, _columns.error).where(mine).order_by(_columns.id.desc()).limit(1)
        ).first()
        if last is None or last.status == "sent":
            continue
        last_sent = sa.select(sa.func.max(_columns.id)).where(mine, _columns.status == "sent")
        first_failed = sa.select(sa.func.min(_columns.at)).where(
            mine, _columns.id > sa.func.coalesce(last_sent.scalar_subquery(), 0)
        )
        failures[name] = Failure(conn.execute(first_failed).scalar_one(), last.error or "")
    return failures
