"""Silences in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.notify.silences import Silence
from firstcause.errors import NotFoundError
from firstcause.store.tables import silence

if TYPE_CHECKING:
    from datetime import datetime

_MAX_ID_DIGITS = 15


def _to_silence(row: Any) -> Silence:
    return Silence(
        matchers=row.matchers,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_at=row.created_at,
        created_by=row.created_by,
        comment=row.comment,
        silence_id=row.id,
    )


def add(conn: sa.Connection, new: Silence) -> int:
    """Add a silence; returns its id."""
    values = {
        "matchers": [matcher.model_dump() for matcher in new.matchers],
        "starts_at": new.starts_at,
        "ends_at": new.ends_at,
        "created_at": new.created_at,
        "created_by": new.created_by,
        "comment": new.comment,
    }
    return int(conn.execute(silence.insert().values(values).returning(silence.c.id)).scalar_one())


def expire(conn: sa.Connection, silence_id: str, now: datetime) -> Silence:
    """End a silence now, if it has not ended; NotFoundError where there is none."""
    current = get(conn, silence_id)
    if current.state(now) != "expired":
        values = {"ends_at": now, "starts_at": min(current.starts_at, now)}
        conn.execute(silence.update().where(silence.c.id == current.silence_id).values(values))
    return get(conn, silence_id)


def get(conn: sa.Connection, silence_id: str) -> Silence:
    """Load a silence; NotFoundError where there is none."""
    row = None
    if silence_id.isascii() and silence_id.isdigit() and len(silence_id) <= _MAX_ID_DIGITS:
        row = conn.execute(sa.select(silence).where(silence.c.id == int(silence_id))).first()
    if row is None:
        msg = f"no silence {silence_id!r}; `firstcause silence list --all` has them"
        raise NotFoundError(msg)
    return _to_silence(row)


def list_silences(conn: sa.Connection, now: datetime | None) -> list[Silence]:
    """List the silences that have not ended by then, newest first. now None: all."""
    query = sa.select(silence).order_by(silence.c.id.desc())
    if now is not None:
        query = query.where(silence.c.ends_at > now)
    return [_to_silence(row) for row in conn.execute(query)]


def load_active(conn: sa.Connection, now: datetime) -> list[Silence]:
    """Load the silences that are in force now."""
    query = sa.select(silence).where(silence.c.starts_at <= now, silence.c.ends_at > now)
    return [_to_silence(row) for row in conn.execute(query.order_by(silence.c.id))]
