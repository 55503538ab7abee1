"""The health snapshots: compact on disk, the older ones rolled up, and which of them was known to be good."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.health.snapshot import Snapshot, rolled
from firstcause.errors import NotFoundError
from firstcause.store.tables import health_snapshot, storable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLLED = 3600
"""Seconds that a snapshot stands for once it is rolled up."""

_TABLE = health_snapshot.c
_LARGEST = 2**31
_THINNED_AT_ONCE = 2000


@dataclass(frozen=True)
class Stored:
    """A snapshot and what is known of it. good: why it is a good state, None where it is not known to be."""

    number: int
    snapshot: Snapshot
    good: str | None = None
    pinned_at: datetime | None = None
    pinned_by: str | None = None


def packed(snapshot: Snapshot) -> bytes:
    # Without what no JSON holds: halves of characters, and numbers that are none.
    document = storable(snapshot.model_dump(mode="json", exclude_defaults=True))
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)


def unpacked(body: bytes) -> Snapshot:
    return Snapshot.model_validate_json(zlib.decompress(body))


def add(conn: sa.Connection, snapshot: Snapshot, good: str | None) -> int:
    """The number of the new row."""
    status = snapshot.status.value if snapshot.status is not None else "UNKNOWN"
    values = {"taken_at": snapshot.taken_at, "status": status, "good": good, "body": packed(snapshot)}
    insert = health_snapshot.insert().values(**values).returning(_TABLE.id)
    return int(conn.execute(insert).scalar_one())


def _stored(row: Any) -> Stored:
    return Stored(row.id, unpacked(row.body), row.good, row.pinned_at, row.pinned_by)


def _first(conn: sa.Connection, asked: sa.Select[Any]) -> Stored | None:
    row = conn.execute(asked.limit(1)).first()
    return _stored(row) if row is not None else None


def last(conn: sa.Connection) -> Stored | None:
    return _first(conn, sa.select(health_snapshot).order_by(_TABLE.id.desc()))


def at(conn: sa.Connection, moment: datetime) -> Stored | None:
    """The first snapshot from that moment on, else the last before it."""
    after = sa.select(health_snapshot).where(_TABLE.taken_at >= moment).order_by(_TABLE.taken_at, _TABLE.id)
    return _first(conn, after) or last(conn)


def get(conn: sa.Connection, number: str) -> Stored:
    """NotFoundError where there is none."""
    row = int(number) if number.isascii() and number.isdigit() else _LARGEST
    found = _first(conn, sa.select(health_snapshot).where(_TABLE.id == row)) if row < _LARGEST else None
    if found is None:
        msg = f"no snapshot {number!r}; `firstcause snapshots` lists those that there are"
        raise NotFoundError(msg)
    return found


def last_good(conn: sa.Connection, before: datetime | None = None) -> Stored | None:
    """The one that somebody pinned, else the latest that the rules called good. before: of those only."""
    asked = sa.select(health_snapshot)
    if before is not None:
        asked = asked.where(_TABLE.taken_at < before)
    pinned = asked.where(_TABLE.pinned_at.is_not(None)).order_by(_TABLE.pinned_at.desc())
    # By number: a clock that was set back must not let an older state stay the latest for hours.
    good = asked.where(_TABLE.good.is_not(None)).order_by(_TABLE.id.desc())
    return _first(conn, pinned) or _first(conn, good)


def listed(conn: sa.Connection, limit: int, since: datetime | None = None) -> list[dict[str, Any]]:
    """The latest first, without what they hold."""
    columns = (_TABLE.id, _TABLE.taken_at, _TABLE.status, _TABLE.good, _TABLE.pinned_at, _TABLE.pinned_by)
    asked = sa.select(*columns).order_by(_TABLE.id.desc()).limit(limit)
    if since is not None:
        asked = asked.where(_TABLE.taken_at >= since)
    return [dict(row._mapping) for row in conn.execute(asked)]  # noqa: SLF001 - SQLAlchemy's public name for it


def between(
    conn: sa.Connection, since: datetime, until: datetime, most: int | None = None
) -> Iterator[Snapshot]:
    """Those taken in that time, in order. most: where there are more, so many of them, evenly."""
    within = sa.and_(_TABLE.taken_at >= since, _TABLE.taken_at <= until)
    asked = sa.select(_TABLE.body).where(within)
    if most is not None:
        there = conn.execute(sa.select(sa.func.count()).where(within)).scalar_one()
        last = sa.select(sa.func.max(_TABLE.id)).where(within).scalar_subquery()
        asked = asked.where((last - _TABLE.id) % max(1, -(-there // most)) == 0)
    for row in conn.execute(asked.order_by(_TABLE.taken_at, _TABLE.id)):
        yield unpacked(row.body)


def latest(conn: sa.Connection, number: int) -> list[Snapshot]:
    """The last so many, in order."""
    asked = sa.select(_TABLE.body).order_by(_TABLE.taken_at.desc(), _TABLE.id.desc()).limit(number)
    return [unpacked(row.body) for row in reversed(conn.execute(asked).all())]


def pin(conn: sa.Connection, number: int, now: datetime, by: str) -> None:
    """Let this one be the last known good state until it is unpinned; no other is pinned then."""
    unpin(conn)
    changed = health_snapshot.update().where(_TABLE.id == number)
    conn.execute(changed.values(pinned_at=now, pinned_by=by))


def unpin(conn: sa.Connection) -> int:
    """How many were pinned."""
    pinned = health_snapshot.update().where(_TABLE.pinned_at.is_not(None))
    return conn.execute(pinned.values(pinned_at=None, pinned_by=None)).rowcount


def call_good(conn: sa.Connection, number: int, reason: str) -> None:
    conn.execute(health_snapshot.update().where(_TABLE.id == number).values(good=reason))


def thin(conn: sa.Connection, now: datetime, whole: float, kept: float) -> int:
    """Roll up those older than `whole` seconds to one an hour, and drop those older than `kept`.

    What is pinned stays as it is, and so does the latest good state. Returns how many rows went; a part
    of a long arrear, the next call goes on.
    """
    good = last_good(conn)
    held = sa.and_(_TABLE.pinned_at.is_(None), _TABLE.id != (good.number if good else 0))
    too_old = health_snapshot.delete().where(_TABLE.taken_at < now - timedelta(seconds=kept), held)
    gone = conn.execute(too_old).rowcount
    # Whole hours only, so that an hour is not rolled up in parts.
    until = _hour(now - timedelta(seconds=whole))
    asked = sa.select(health_snapshot).where(_TABLE.taken_at < until, _TABLE.rolled.is_(False), held)
    rows = conn.execute(asked.order_by(_TABLE.taken_at, _TABLE.id).limit(_THINNED_AT_ONCE + 1)).all()
    hours = [list(group) for _hour_of, group in groupby(rows, lambda row: _hour(row.taken_at))]
    if len(rows) > _THINNED_AT_ONCE:
        hours.pop()
    return gone + sum(_roll(conn, group) for group in hours)


def _hour(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // ROLLED * ROLLED, UTC)


def _roll(conn: sa.Connection, rows: list[Any]) -> int:
    """The last row takes all; how many went."""
    *others, keeper = rows
    whole = rolled([unpacked(row.body) for row in rows])
    good = next((row.good for row in reversed(rows) if row.good is not None), None)
    values = {"body": packed(whole), "rolled": True, "good": good}
    if whole.status is not None:
        values["status"] = whole.status.value
    conn.execute(health_snapshot.update().where(_TABLE.id == keeper.id).values(**values))
    if others:
        conn.execute(health_snapshot.delete().where(_TABLE.id.in_([row.id for row in others])))
    return len(others)
