"""Health snapshots: compressed, older ones rolled up, and which of them are known to be good."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.health.snapshot import Snapshot, roll_up_snapshots
from firstcause.errors import NotFoundError
from firstcause.store.tables import health_snapshot, to_storable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLLUP_INTERVAL_S = 3600
"""Seconds that a rolled-up snapshot covers."""

_COLUMNS = health_snapshot.c
_MAX_ID = 2**31
_MAX_ROLLUP_ROWS = 2000


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot with its id. good: why it is a good state; None where it is not known to be one."""

    snapshot_id: int
    snapshot: Snapshot
    good: str | None = None
    pinned_at: datetime | None = None
    pinned_by: str | None = None


def compress(snapshot: Snapshot) -> bytes:
    """Compress a snapshot for the store."""
    # Lone surrogates and numbers that JSON lacks are replaced.
    document = to_storable(snapshot.model_dump(mode="json", exclude_defaults=True))
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)


def decompress(body: bytes) -> Snapshot:
    """Decompress a stored snapshot."""
    return Snapshot.model_validate_json(zlib.decompress(body))


def add(conn: sa.Connection, snapshot: Snapshot, good: str | None) -> int:
    """Add a snapshot; returns its id. good: why it is a good state, None where it is not known to be one."""
    status = snapshot.status.value if snapshot.status is not None else "UNKNOWN"
    values = {"taken_at": snapshot.taken_at, "status": status, "good": good, "body": compress(snapshot)}
    insert = health_snapshot.insert().values(**values).returning(_COLUMNS.id)
    return int(conn.execute(insert).scalar_one())


def _to_stored(row: Any) -> StoredSnapshot:
    return StoredSnapshot(row.id, decompress(row.body), row.good, row.pinned_at, row.pinned_by)


def _fetch_first(conn: sa.Connection, query: sa.Select[Any]) -> StoredSnapshot | None:
    row = conn.execute(query.limit(1)).first()
    return _to_stored(row) if row is not None else None


def load_last(conn: sa.Connection) -> StoredSnapshot | None:
    """Load the last snapshot; None where there is none."""
    return _fetch_first(conn, sa.select(health_snapshot).order_by(_COLUMNS.id.desc()))


def load_nearest(conn: sa.Connection, moment: datetime) -> StoredSnapshot | None:
    """Load the first snapshot since that moment, else the last one before it; None where there is none."""
    query = (
        sa.select(health_snapshot).where(_COLUMNS.taken_at >= moment).order_by(_COLUMNS.taken_at, _COLUMNS.id)
    )
    return _fetch_first(conn, query) or load_last(conn)


def get(conn: sa.Connection, snapshot_id: str) -> StoredSnapshot:
    """Load a snapshot; NotFoundError where there is none."""
    row_id = int(snapshot_id) if snapshot_id.isascii() and snapshot_id.isdigit() else _MAX_ID
    stored = (
        _fetch_first(conn, sa.select(health_snapshot).where(_COLUMNS.id == row_id))
        if row_id < _MAX_ID
        else None
    )
    if stored is None:
        msg = f"no snapshot {snapshot_id!r}; `firstcause snapshots` lists those that there are"
        raise NotFoundError(msg)
    return stored


def load_last_good(conn: sa.Connection, before: datetime | None = None) -> StoredSnapshot | None:
    """Load the snapshot that a person pinned, else the last one that rules found good.

    before: only snapshots taken before then.
    """
    query = sa.select(health_snapshot)
    if before is not None:
        query = query.where(_COLUMNS.taken_at < before)
    pinned = query.where(_COLUMNS.pinned_at.is_not(None)).order_by(_COLUMNS.pinned_at.desc())
    # By id, not by time: after the clock was set back an older state would stay the latest for hours.
    good = query.where(_COLUMNS.good.is_not(None)).order_by(_COLUMNS.id.desc())
    return _fetch_first(conn, pinned) or _fetch_first(conn, good)


def list_snapshots(conn: sa.Connection, limit: int, since: datetime | None = None) -> list[dict[str, Any]]:
    """List the last snapshots, newest first, without their contents."""
    columns = (
        _COLUMNS.id,
        _COLUMNS.taken_at,
        _COLUMNS.status,
        _COLUMNS.good,
        _COLUMNS.pinned_at,
        _COLUMNS.pinned_by,
    )
    query = sa.select(*columns).order_by(_COLUMNS.id.desc()).limit(limit)
    if since is not None:
        query = query.where(_COLUMNS.taken_at >= since)
    return [dict(row._mapping) for row in conn.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name for it


def iter_between(
    conn: sa.Connection, since: datetime, until: datetime, max_count: int | None = None
) -> Iterator[Snapshot]:
    """Yield the snapshots taken in that time, in order. max_count: evenly spaced; None: all."""
    in_range = sa.and_(_COLUMNS.taken_at >= since, _COLUMNS.taken_at <= until)
    query = sa.select(_COLUMNS.body).where(in_range)
    if max_count is not None:
        total = conn.execute(sa.select(sa.func.count()).where(in_range)).scalar_one()
        last_id = sa.select(sa.func.max(_COLUMNS.id)).where(in_range).scalar_subquery()
        query = query.where((last_id - _COLUMNS.id) % max(1, -(-total // max_count)) == 0)
    for row in conn.execute(query.order_by(_COLUMNS.taken_at, _COLUMNS.id)):
        yield decompress(row.body)


def load_latest(conn: sa.Connection, count: int) -> list[Snapshot]:
    """Load the last `count` snapshots, in order."""
    query = sa.select(_COLUMNS.body).order_by(_COLUMNS.taken_at.desc(), _COLUMNS.id.desc()).limit(count)
    return [decompress(row.body) for row in reversed(conn.execute(query).all())]


def pin(conn: sa.Connection, snapshot_id: int, now: datetime, actor: str) -> None:
    """Pin a snapshot as the last known good state; any other one is unpinned."""
    unpin(conn)
    update = health_snapshot.update().where(_COLUMNS.id == snapshot_id)
    conn.execute(update.values(pinned_at=now, pinned_by=actor))


def unpin(conn: sa.Connection) -> int:
    """Unpin all snapshots; returns how many were pinned."""
    pinned = health_snapshot.update().where(_COLUMNS.pinned_at.is_not(None))
    return conn.execute(pinned.values(pinned_at=None, pinned_by=None)).rowcount


def mark_good(conn: sa.Connection, snapshot_id: int, reason: str) -> None:
    """Mark a snapshot as a good state. reason: why rules found it good."""
    conn.execute(health_snapshot.update().where(_COLUMNS.id == snapshot_id).values(good=reason))


def roll_up(conn: sa.Connection, now: datetime, full_resolution_s: float, retention_s: float) -> int:
    """Roll up snapshots older than `full_resolution_s` to one an hour; drop those older than `retention_s`.

    The pinned snapshot and the last good one stay as they are. Returns how many rows were deleted. A long
    backlog takes several calls.
    """
    good = load_last_good(conn)
    prunable = sa.and_(_COLUMNS.pinned_at.is_(None), _COLUMNS.id != (good.snapshot_id if good else 0))
    too_old = health_snapshot.delete().where(
        _COLUMNS.taken_at < now - timedelta(seconds=retention_s), prunable
    )
    dropped = conn.execute(too_old).rowcount
    # Full hours only, so that an hour is not rolled up in parts.
    until = _floor_to_hour(now - timedelta(seconds=full_resolution_s))
    query = sa.select(health_snapshot).where(_COLUMNS.taken_at < until, _COLUMNS.rolled.is_(False), prunable)
    rows = conn.execute(query.order_by(_COLUMNS.taken_at, _COLUMNS.id).limit(_MAX_ROLLUP_ROWS + 1)).all()
    hours = [list(group) for _hour_of, group in groupby(rows, lambda row: _floor_to_hour(row.taken_at))]
    if len(rows) > _MAX_ROLLUP_ROWS:
        hours.pop()
    return dropped + sum(_roll_up_rows(conn, group) for group in hours)


def _floor_to_hour(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // ROLLUP_INTERVAL_S * ROLLUP_INTERVAL_S, UTC)


def _roll_up_rows(conn: sa.Connection, rows: list[Any]) -> int:
    """Roll up rows into the last one of them; returns how many were deleted."""
    *others, keeper = rows
    rolled_up = roll_up_snapshots([decompress(row.body) for row in rows])
    good = next((row.good for row in reversed(rows) if row.good is not None), None)
    values = {"body": compress(rolled_up), "rolled": True, "good": good}
    if rolled_up.status is not None:
        values["status"] = rolled_up.status.value
    conn.execute(health_snapshot.update().where(_COLUMNS.id == keeper.id).values(**values))
    if others:
        conn.execute(health_snapshot.delete().where(_COLUMNS.id.in_([row.id for row in others])))
    return len(others)
