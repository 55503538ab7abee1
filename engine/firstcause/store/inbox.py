"""The inbox: every accepted event, from the moment it is acknowledged; afterwards the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from firstcause.core.model import Event
from firstcause.store.database import INBOX_LOCK
from firstcause.store.tables import inbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Received:
    """An event that waits for triage. event None: what was stored cannot be read; problem says why."""

    seq: int
    event: Event | None
    problem: str | None = None


def put(conn: sa.Connection, events: Sequence[Event], now: datetime) -> None:
    """Store events; one whose id is there already is the same occurrence and is left out."""
    if not events:
        return
    postgres = conn.dialect.name == "postgresql"
    if postgres:
        # Two that store the same ids in another order would wait for each other's rows: a deadlock.
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": INBOX_LOCK})
    insert = postgresql.insert if postgres else sqlite.insert
    conn.execute(
        insert(inbox).on_conflict_do_nothing(index_elements=["event_id"]),
        [
            {
                "event_id": event.id,
                "received_at": now,
                "event": event.model_dump(mode="json", exclude_defaults=True),
            }
            for event in events
        ],
    )


def waiting(conn: sa.Connection, limit: int) -> list[Received]:
    """The oldest events that nobody has triaged."""
    rows = conn.execute(
        sa.select(inbox.c.seq, inbox.c.event)
        .where(inbox.c.triaged_at.is_(None))
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    return [_received(seq, document) for seq, document in rows]


def _received(seq: int, document: object) -> Received:
    try:
        return Received(seq, Event.model_validate(document))
    except ValueError as error:
        return Received(seq, None, str(error))


def count_waiting(conn: sa.Connection) -> int:
    """How many events wait for triage."""
    waiting = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.triaged_at.is_(None))
    return conn.execute(waiting).scalar_one()


def still_waiting(conn: sa.Connection, seqs: Sequence[int]) -> set[int]:
    """Those of `seqs` that no other triage has taken meanwhile."""
    rows = conn.execute(sa.select(inbox.c.seq).where(inbox.c.seq.in_(seqs), inbox.c.triaged_at.is_(None)))
    return {row.seq for row in rows}


def mark(conn: sa.Connection, outcomes: Sequence[tuple[int, str | None, str | None]], now: datetime) -> None:
    """outcomes: (seq, fingerprint of its alert, problem)."""
    if outcomes:
        conn.execute(
            inbox.update()
            .where(inbox.c.seq == sa.bindparam("b_seq"))
            .values(triaged_at=now, fingerprint=sa.bindparam("b_print"), problem=sa.bindparam("b_problem")),
            [{"b_seq": seq, "b_print": name, "b_problem": problem} for seq, name, problem in outcomes],
        )
