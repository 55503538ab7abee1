"""The inbox: accepted events in the parcels in which they came, from acknowledgement until triage.

Its connections are those of `Database.inbox`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pydantic import TypeAdapter

from firstcause.core.model import Event
from firstcause.store.tables import document_text, inbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MOST = 1000
"""Events in one parcel."""

MOST_BYTES = 16 * 1024 * 1024
"""Of the parcels that are given out together."""

events_of = TypeAdapter(list[Event])
_event = TypeAdapter(Event)


@dataclass(frozen=True)
class Parcel:
    """Events that were sent together, masked. body: a list of them as JSON.

    as_sent: the body is its sender's, one event or a list, as `intake.quick` reads them.
    key: names those that have no id of their own.
    """

    body: bytes
    events: int
    as_sent: bool = False
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


def document(event: Event) -> str:
    """An event as JSON that every database stores."""
    return document_text(_event, event)


@dataclass(frozen=True)
class Waiting:
    """A stored parcel. done: how many of its events are triaged; take: how many of the others to take now."""

    seq: int
    parcel: Parcel
    received_at: datetime
    done: int
    take: int


def packed(events: Sequence[Event]) -> list[Parcel]:
    """The events in parcels, in their order."""
    parts = (events[at : at + MOST] for at in range(0, len(events), MOST))
    return [Parcel(document_text(events_of, part).encode(), len(part)) for part in parts]


def put(conn: sa.Connection, events: Sequence[Event], now: datetime) -> None:
    store(conn, packed(events), now)


def store(conn: sa.Connection, parcels: Iterable[Parcel], now: datetime) -> None:
    rows = [
        {
            "key": each.key,
            "received_at": now,
            "events": each.events,
            "as_sent": each.as_sent,
            "body": each.body,
        }
        for each in parcels
    ]
    if rows:
        conn.execute(inbox.insert(), rows)


def waiting(conn: sa.Connection, limit: int) -> list[Waiting]:
    """The oldest parcels with up to `limit` events to triage; of the first a part, if need be."""
    sizes = sa.select(inbox.c.seq, inbox.c.events, inbox.c.done, sa.func.length(inbox.c.body).label("size"))
    takes: dict[int, int] = {}
    events = size = 0
    for row in conn.execute(sizes.order_by(inbox.c.seq).limit(limit)):
        left = row.events - row.done
        if takes and (events + left > limit or size + row.size > MOST_BYTES):
            break
        takes[row.seq] = min(left, limit)
        events, size = events + left, size + row.size
    if not takes:
        return []
    rows = conn.execute(
        sa.select(inbox).where(inbox.c.seq.between(min(takes), max(takes))).order_by(inbox.c.seq)
    )
    return [
        Waiting(
            row.seq,
            Parcel(row.body, row.events, row.as_sent, row.key),
            row.received_at,
            row.done,
            takes[row.seq],
        )
        for row in rows
        if row.seq in takes
    ]


def count_waiting(conn: sa.Connection) -> int:
    """How many events wait for triage."""
    left = sa.func.coalesce(sa.func.sum(inbox.c.events - inbox.c.done), 0)
    return int(conn.execute(sa.select(left)).scalar_one())


def take(conn: sa.Connection, parcels: Iterable[Waiting]) -> None:
    """What was to be taken of these is triaged; parcels with nothing left go, if they did not go before."""
    for each in parcels:
        # SQLite gives a number again once its row is gone, so the key is looked at too.
        mine = (inbox.c.seq == each.seq, inbox.c.key == each.parcel.key, inbox.c.done == each.done)
        if each.done + each.take < each.parcel.events:
            conn.execute(inbox.update().where(*mine).values(done=each.done + each.take))
        else:
            conn.execute(inbox.delete().where(*mine))
