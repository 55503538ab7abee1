"""Calls between components, learned from the events that they report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.statements import upsert
from firstcause.store.tables import dependency

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MAX_CALLS = 1000
"""Maximum of stored calls: a sender that invents names must not fill the store."""

Call = tuple[str, str]


def record(conn: sa.Connection, calls: Iterable[Call], now: datetime) -> None:
    """Store calls, or the time when they were last seen. calls: (caller, callee)."""
    pairs = sorted(set(calls))
    if not pairs:
        return
    capacity = MAX_CALLS - conn.execute(sa.select(sa.func.count()).select_from(dependency)).scalar_one()
    pair = sa.tuple_(dependency.c.caller, dependency.c.callee)
    existing = {
        (row.caller, row.callee)
        for row in conn.execute(sa.select(dependency).where(pair.in_(pairs[:MAX_CALLS])))
    }
    fresh = [call for call in pairs if call not in existing][: max(capacity, 0)]
    rows = [{"caller": caller, "callee": callee, "last_seen": now} for caller, callee in {*existing, *fresh}]
    upsert(conn, dependency, rows, ["caller", "callee"], replace=["last_seen"])


def list_since(conn: sa.Connection, since: datetime) -> list[Call]:
    """List the calls that were seen since then, in order."""
    query = sa.select(dependency).where(dependency.c.last_seen >= since)
    rows = conn.execute(query.order_by(dependency.c.caller, dependency.c.callee))
    return [(row.caller, row.callee) for row in rows]


def list_with_times(conn: sa.Connection, since: datetime) -> list[tuple[str, str, datetime]]:
    """List (caller, callee, last seen) of the calls that were seen since then, in order."""
    query = sa.select(dependency).where(dependency.c.last_seen >= since)
    rows = conn.execute(query.order_by(dependency.c.caller, dependency.c.callee))
    return [(row.caller, row.callee, row.last_seen) for row in rows]


def prune(conn: sa.Connection, before: datetime) -> None:
    """Drop the calls that were last seen before that time."""
    conn.execute(dependency.delete().where(dependency.c.last_seen < before))
