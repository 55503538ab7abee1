"""Causes that people set by hand: an alert is caused by another one, or by none. The last entry counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import alert, ruling

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class CauseOverride:
    """A cause that a person set. effect_id, cause_id: alert ids; cause_id None: the effect is a root."""

    effect_id: int
    cause_id: int | None
    at: datetime
    actor: str
    reason: str | None = None


def add(conn: sa.Connection, new: CauseOverride) -> None:
    """Add an override; earlier ones of the same effect no longer count."""
    values = {
        "effect_id": new.effect_id,
        "cause_id": new.cause_id,
        "at": new.at,
        "actor": new.actor,
        "reason": new.reason,
    }
    conn.execute(ruling.insert().values(values))


def load_active(conn: sa.Connection) -> list[CauseOverride]:
    """Load the last override of each active alert."""
    rows = conn.execute(
        sa.select(ruling)
        .join(alert, alert.c.id == ruling.c.effect_id)
        .where(alert.c.resolved_at.is_(None))
        .order_by(ruling.c.id)
    )
    last = {
        row.effect_id: CauseOverride(row.effect_id, row.cause_id, row.at, row.actor, row.reason)
        for row in rows
    }
    return list(last.values())
