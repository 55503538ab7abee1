"""Silences in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.core.notify.silences import Silence
from firstcause.errors import NotFoundError
from firstcause.store.tables import silence

if TYPE_CHECKING:
    from datetime import datetime

_DIGITS = 15


def _silence(row: Any) -> Silence:
    return Silence(
        matchers=row.matchers,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_at=row.created_at,
        created_by=row.created_by,
        comment=row.comment,
        number=row.id,
    )


def add(conn: sa.Connection, new: Silence) -> int:
    """Returns its number."""
    values = {
        "matchers": [matcher.model_dump() for matcher in new.matchers],
        "starts_at": new.starts_at,
        "ends_at": new.ends_at,
        "created_at": new.created_at,
        "created_by": new.created_by,
        "comment": new.comment,
    }
    return int(conn.execute(silence.insert().values(values).returning(silence.c.id)).scalar_one())


def end(conn: sa.Connection, number: str, now: datetime) -> Silence:
    """End it now, if it has not ended. NotFoundError where there is none."""
    found = get(conn, number)
    if found.state(now) != "expired":
        ends = {"ends_at": now, "starts_at": min(found.starts_at, now)}
        conn.execute(silence.update().where(silence.c.id == found.number).values(ends))
    return get(conn, number)


def get(conn: sa.Connection, number: str) -> Silence:
    row = None
    if number.isascii() and number.isdigit() and len(number) <= _DIGITS:
        row = conn.execute(sa.select(silence).where(silence.c.id == int(number))).first()
    if row is None:
        msg = f"no silence {number!r}; `firstcause silence list --all` has them"
        raise NotFoundError(msg)
    return _silence(row)


def listed(conn: sa.Connection, now: datetime | None) -> list[Silence]:
    """Those that have not ended by then, or all where None; the newest first."""
    wanted = sa.select(silence).order_by(silence.c.id.desc())
    if now is not None:
        wanted = wanted.where(silence.c.ends_at > now)
    return [_silence(row) for row in conn.execute(wanted)]


def active(conn: sa.Connection, now: datetime) -> list[Silence]:
    wanted = sa.select(silence).where(silence.c.starts_at <= now, silence.c.ends_at > now)
    return [_silence(row) for row in conn.execute(wanted.order_by(silence.c.id))]
