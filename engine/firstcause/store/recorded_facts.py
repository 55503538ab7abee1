"""The facts, other than alerts, that rules were given; replay and backtest read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.store.tables import observation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from firstcause.core.model import Fact


def record(conn: sa.Connection, now: datetime, facts: Sequence[Fact]) -> None:
    """Store the facts, unless they equal the last ones."""
    query = sa.select(observation.c.facts).order_by(observation.c.id.desc()).limit(1)
    if conn.execute(query).scalar() != list(facts):
        conn.execute(observation.insert().values(at=now, facts=list(facts)))


def load_at(conn: sa.Connection, now: datetime) -> list[Fact]:
    """Load the facts as of that time; empty where none were stored by then."""
    query = sa.select(observation.c.facts).where(observation.c.at <= now).order_by(observation.c.id.desc())
    facts: list[Fact] | None = conn.execute(query.limit(1)).scalar()
    return facts or []


def iter_changes(conn: sa.Connection, since: datetime) -> Iterator[tuple[datetime, list[Fact]]]:
    """Yield the facts as of `since`, then each change, in order."""
    first_id = sa.select(sa.func.max(observation.c.id)).where(observation.c.at <= since).scalar_subquery()
    rows = conn.execute(
        sa.select(observation.c.at, observation.c.facts)
        .where(sa.or_(observation.c.id == first_id, observation.c.at > since))
        .order_by(observation.c.id)
    )
    for row in rows:
        yield row.at, row.facts
