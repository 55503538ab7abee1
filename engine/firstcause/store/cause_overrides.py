"""What people said of causes: this alert is caused by that one, or by none. The last word holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import alert, ruling

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Ruling:
    """effect, cause: rows of alerts; cause None: it is a root."""

    effect: int
    cause: int | None
    at: datetime
    actor: str
    reason: str | None = None


def add(conn: sa.Connection, new: Ruling) -> None:
    values = {
        "effect_id": new.effect,
        "cause_id": new.cause,
        "at": new.at,
        "actor": new.actor,
        "reason": new.reason,
    }
    conn.execute(ruling.insert().values(values))


def in_force(conn: sa.Connection) -> list[Ruling]:
    """The last word on each alert that is active."""
    rows = conn.execute(
        sa.select(ruling)
        .join(alert, alert.c.id == ruling.c.effect_id)
        .where(alert.c.resolved_at.is_(None))
        .order_by(ruling.c.id)
    )
    last = {row.effect_id: Ruling(row.effect_id, row.cause_id, row.at, row.actor, row.reason) for row in rows}
    return list(last.values())
