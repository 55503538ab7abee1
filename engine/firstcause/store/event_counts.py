"""How many errors of each code were reported, minute by minute; older minutes are hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.core.model import Severity
from firstcause.store.tables import notification_registry, tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

OTHERS = "*"
"""Stands for the codes of a batch that are beyond the most frequent."""

MOST = 100
"""Codes of a batch that are counted each for itself: a sender that invents codes must not fill the store."""

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Tally:
    """What was reported from `at` on, for a minute or an hour."""

    at: datetime
    code: str
    severity: Severity
    count: int


def _slot(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def count(conn: sa.Connection, counted: Mapping[tuple[str, Severity], int], now: datetime) -> None:
    """Add a batch. counted: (code, severity) -> occurrences."""
    most = sorted(counted, key=lambda each: (-counted[each], each))
    rows: dict[tuple[str, str], int] = {}
    for place, (code, severity) in enumerate(most):
        key = (code if place < MOST else OTHERS, severity.value)
        rows[key] = rows.get(key, 0) + counted[(code, severity)]
    if rows:
        _add(
            conn, [(_slot(now, MINUTE), code, severity, number) for (code, severity), number in rows.items()]
        )


def _add(conn: sa.Connection, rows: list[tuple[datetime, str, str, int]]) -> None:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(tally)
    adding = {"count": tally.c.count + statement.excluded.count}
    index = ["at", "code", "severity"]
    # In order, so that two writers take the same rows in the same turn.
    values = [dict(zip((*index, "count"), row, strict=True)) for row in sorted(rows)]
    conn.execute(statement.on_conflict_do_update(index_elements=index, set_=adding), values)


def since(conn: sa.Connection, start: datetime, until: datetime) -> list[Tally]:
    """Of all minutes that began within that time, in order."""
    asked = sa.select(tally).where(tally.c.at >= start, tally.c.at < until)
    rows = conn.execute(asked.order_by(tally.c.at, tally.c.code, tally.c.severity))
    return [Tally(row.at, row.code, Severity(row.severity), row[3]) for row in rows]


def total(
    conn: sa.Connection,
    start: datetime,
    until: datetime,
    codes: Collection[str],
    severities: Collection[Severity],
) -> int:
    """Occurrences within that time. codes: those that count, all where there is none."""
    asked = sa.select(sa.func.coalesce(sa.func.sum(tally.c.count), 0))
    asked = asked.where(tally.c.at >= start, tally.c.at < until, tally.c.severity.in_(severities))
    if codes:
        asked = asked.where(tally.c.code.in_(codes))
    return int(conn.execute(asked).scalar_one())


def first_seen_after(conn: sa.Connection, moment: datetime, limit: int) -> list[str]:
    """Codes that had never been seen up to that moment and are counted here, the earliest first."""
    columns = notification_registry.c
    counted = sa.select(tally.c.code).where(tally.c.at > moment - timedelta(seconds=HOUR))
    asked = sa.select(columns.code).where(columns.first_seen > moment, columns.code.in_(counted))
    return list(conn.execute(asked.order_by(columns.first_seen, columns.code).limit(limit)).scalars())


def thin(conn: sa.Connection, now: datetime, whole: float, kept: float) -> None:
    """Minutes older than `whole` seconds become hours; what is older than `kept` goes."""
    conn.execute(tally.delete().where(tally.c.at < now - timedelta(seconds=kept)))
    until = _slot(now - timedelta(seconds=whole), HOUR)
    start = until - timedelta(days=1)
    hours: dict[tuple[datetime, str, str], int] = {}
    minutes = [each for each in since(conn, start, until) if each.at != _slot(each.at, HOUR)]
    for each in minutes:
        key = (_slot(each.at, HOUR), each.code, each.severity.value)
        hours[key] = hours.get(key, 0) + each.count
    if hours:
        conn.execute(tally.delete().where(tally.c.at.in_({each.at for each in minutes})))
        _add(conn, [(*key, number) for key, number in hours.items()])


def by_minute(counted: Iterable[Tally], start: datetime, until: datetime) -> list[tuple[datetime, float]]:
    """Errors a minute from the first whole minute on; minutes without any are 0."""
    found: dict[datetime, float] = {}
    moment = _slot(start, MINUTE)
    if moment < start:
        moment += timedelta(seconds=MINUTE)
    while moment < until:
        found[moment] = 0.0
        moment += timedelta(seconds=MINUTE)
    for each in counted:
        if each.at in found:
            found[each.at] += each.count
    return sorted(found.items())
