"""The facts besides the alerts that rules were told, so that history can be played again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import observation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from firstcause.core.model import Fact


def record(conn: sa.Connection, now: datetime, facts: Sequence[Fact]) -> None:
    """Write the facts down, unless they are the same as the last."""
    query = sa.select(observation.c.facts).order_by(observation.c.id.desc()).limit(1)
    if conn.execute(query).scalar() != list(facts):
        conn.execute(observation.insert().values(at=now, facts=list(facts)))


def load_at(conn: sa.Connection, now: datetime) -> list[Fact]:
    """What was known at that time; nothing where nothing was written down by then."""
    query = sa.select(observation.c.facts).where(observation.c.at <= now).order_by(observation.c.id.desc())
    facts: list[Fact] | None = conn.execute(query.limit(1)).scalar()
    return facts or []


def iter_changes(conn: sa.Connection, since: datetime) -> Iterator[tuple[datetime, list[Fact]]]:
    """What was known at `since`, then each change of it, in order."""
    first_id = sa.select(sa.func.max(observation.c.id)).where(observation.c.at <= since).scalar_subquery()
    rows = conn.execute(
        sa.select(observation.c.at, observation.c.facts)
        .where(sa.or_(observation.c.id == first_id, observation.c.at > since))
        .order_by(observation.c.id)
    )
    for row in rows:
        yield row.at, row.facts
