"""Counts of reported errors by code and minute; older minutes are rolled up to hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.model import Severity
from firstcause.store.statements import upsert
from firstcause.store.tables import notification_registry, tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

OTHER_CODES = "*"
"""Stands for all codes of a batch but the most frequent ones."""

MAX_CODES = 100
"""Codes of a batch that get counts of their own: a sender that invents codes must not fill the store."""

MINUTE_S, HOUR_S = 60, 3600


@dataclass(frozen=True)
class EventCount:
    """Occurrences of a code during the minute, or the hour, that begins at `at`."""

    at: datetime
    code: str
    severity: Severity
    count: int


def _floor_time(moment: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // step_s * step_s, UTC)


def record(conn: sa.Connection, counts: Mapping[tuple[str, Severity], int], now: datetime) -> None:
    """Add the counts of a batch. counts: (code, severity) -> occurrences."""
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    rows: dict[tuple[str, str], int] = {}
    for rank, (code, severity) in enumerate(ranked):
        key = (code if rank < MAX_CODES else OTHER_CODES, severity.value)
        rows[key] = rows.get(key, 0) + counts[(code, severity)]
    if rows:
        _upsert_counts(
            conn,
            [
                (_floor_time(now, MINUTE_S), code, severity, occurrences)
                for (code, severity), occurrences in rows.items()
            ],
        )


def _upsert_counts(conn: sa.Connection, rows: list[tuple[datetime, str, str, int]]) -> None:
    keys = ["at", "code", "severity"]
    # Sorted, so that two writers lock the same rows in the same order and cannot deadlock.
    values = [dict(zip((*keys, "count"), row, strict=True)) for row in sorted(rows)]
    upsert(conn, tally, values, keys, add=["count"])


def load_between(conn: sa.Connection, start: datetime, until: datetime) -> list[EventCount]:
    """Load the counts of all minutes and hours that begin in that time, in order. until: exclusive."""
    query = sa.select(tally).where(tally.c.at >= start, tally.c.at < until)
    rows = conn.execute(query.order_by(tally.c.at, tally.c.code, tally.c.severity))
    return [EventCount(row.at, row.code, Severity(row.severity), row[3]) for row in rows]


def sum_occurrences(
    conn: sa.Connection,
    start: datetime,
    until: datetime,
    codes: Collection[str],
    severities: Collection[Severity],
) -> int:
    """Sum the occurrences in that time. until: exclusive. codes: only these; empty means all."""
    query = sa.select(sa.func.coalesce(sa.func.sum(tally.c.count), 0))
    query = query.where(tally.c.at >= start, tally.c.at < until, tally.c.severity.in_(severities))
    if codes:
        query = query.where(tally.c.code.in_(codes))
    return int(conn.execute(query).scalar_one())


def find_new_codes(conn: sa.Connection, moment: datetime, limit: int) -> list[str]:
    """Find codes that were first seen after that moment and have counts, the earliest first."""
    columns = notification_registry.c
    counted = sa.select(tally.c.code).where(tally.c.at > moment - timedelta(seconds=HOUR_S))
    query = sa.select(columns.code).where(columns.first_seen > moment, columns.code.in_(counted))
    return list(conn.execute(query.order_by(columns.first_seen, columns.code).limit(limit)).scalars())


def roll_up(conn: sa.Connection, now: datetime, full_resolution_s: float, retention_s: float) -> None:
    """Roll up minutes older than `full_resolution_s` to hours; drop counts older than `retention_s`."""
    conn.execute(tally.delete().where(tally.c.at < now - timedelta(seconds=retention_s)))
    until = _floor_time(now - timedelta(seconds=full_resolution_s), HOUR_S)
    start = until - timedelta(days=1)
    hours: dict[tuple[datetime, str, str], int] = {}
    minutes = [
        entry for entry in load_between(conn, start, until) if entry.at != _floor_time(entry.at, HOUR_S)
    ]
    for entry in minutes:
        key = (_floor_time(entry.at, HOUR_S), entry.code, entry.severity.value)
        hours[key] = hours.get(key, 0) + entry.count
    if hours:
        conn.execute(tally.delete().where(tally.c.at.in_({entry.at for entry in minutes})))
        _upsert_counts(conn, [(*key, occurrences) for key, occurrences in hours.items()])


def group_by_minute(
    counts: Iterable[EventCount], start: datetime, until: datetime
) -> list[tuple[datetime, float]]:
    """Group counts into errors per minute, from the first full minute on; minutes without errors are 0."""
    series: dict[datetime, float] = {}
    moment = _floor_time(start, MINUTE_S)
    if moment < start:
        moment += timedelta(seconds=MINUTE_S)
    while moment < until:
        series[moment] = 0.0
        moment += timedelta(seconds=MINUTE_S)
    for entry in counts:
        if entry.at in series:
            series[entry.at] += entry.count
    return sorted(series.items())
