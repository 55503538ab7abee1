"""Which component was seen to call which, learned from what they report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.store.tables import dependency

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MOST = 1000
"""Of so many at most: a sender that invents names must not fill the store."""

Call = tuple[str, str]


def learn(conn: sa.Connection, calls: Iterable[Call], now: datetime) -> None:
    """Write down who called whom. calls: (caller, callee)."""
    listed = sorted(set(calls))
    if not listed:
        return
    room = MOST - conn.execute(sa.select(sa.func.count()).select_from(dependency)).scalar_one()
    pair = sa.tuple_(dependency.c.caller, dependency.c.callee)
    known = {
        (row.caller, row.callee) for row in conn.execute(sa.select(dependency).where(pair.in_(listed[:MOST])))
    }
    fresh = [each for each in listed if each not in known][: max(room, 0)]
    rows = [{"caller": caller, "callee": callee, "last_seen": now} for caller, callee in {*known, *fresh}]
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(dependency)
    if rows:
        taken = {"last_seen": statement.excluded.last_seen}
        conn.execute(statement.on_conflict_do_update(index_elements=["caller", "callee"], set_=taken), rows)


def known_since(conn: sa.Connection, since: datetime) -> list[Call]:
    """(caller, callee) of those seen at that time or later, in order."""
    lately = sa.select(dependency).where(dependency.c.last_seen >= since)
    rows = conn.execute(lately.order_by(dependency.c.caller, dependency.c.callee))
    return [(row.caller, row.callee) for row in rows]


def forget(conn: sa.Connection, since: datetime) -> None:
    """Those that were last seen before that time, which makes room for others."""
    conn.execute(dependency.delete().where(dependency.c.last_seen < since))
