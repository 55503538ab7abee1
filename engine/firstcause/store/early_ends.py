"""Reported ends that came before the beginning of their error, kept for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.grouping.aggregation import EarlyEnd
from firstcause.core.model import Event
from firstcause.store.statements import split_into_chunks, upsert
from firstcause.store.tables import early_end

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

KEEP_FOR = timedelta(hours=1)
"""How long an end waits for its beginning."""

MAX_KEPT = 10_000
"""The number of ends that wait. Beyond it the oldest go, as any sender may report ends of anything."""


def load(conn: sa.Connection, fingerprints: Collection[str]) -> list[EarlyEnd]:
    """Load the ends that wait for the beginning of these alerts."""
    return [
        EarlyEnd(row.fingerprint, row.part, Event.model_validate(row.event), row.received_at)
        for chunk in split_into_chunks(fingerprints)
        for row in conn.execute(sa.select(early_end).where(early_end.c.fingerprint.in_(chunk)))
    ]


def save(conn: sa.Connection, ends: Sequence[EarlyEnd], now: datetime) -> None:
    """Keep ends; of several for one alert or part the last."""
    if not ends:
        return
    rows = {
        (end.fingerprint, end.part): {
            "fingerprint": end.fingerprint,
            "part": end.part,
            "received_at": end.received_at,
            "event": end.event.model_dump(mode="json", exclude_defaults=True),
        }
        for end in ends
    }
    upsert(conn, early_end, list(rows.values()), ["fingerprint", "part"], replace=["received_at", "event"])
    conn.execute(early_end.delete().where(early_end.c.received_at < now - KEEP_FOR))
    newest = (
        sa.select(early_end.c.received_at).order_by(early_end.c.received_at.desc()).offset(MAX_KEPT).limit(1)
    )
    limit = conn.execute(newest).scalar()
    if limit is not None:
        conn.execute(early_end.delete().where(early_end.c.received_at <= limit))


def delete(conn: sa.Connection, fingerprints: Collection[str]) -> None:
    """Forget the ends of these alerts, as they were applied."""
    for chunk in split_into_chunks(fingerprints):
        conn.execute(early_end.delete().where(early_end.c.fingerprint.in_(chunk)))
