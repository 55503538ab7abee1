"""The inbox: accepted events in the parcels in which they came, from acknowledgement until triage.

On SQLite it is a journal of files (journal.py), as senders must not wait for triage, which holds the one
writer that SQLite has; elsewhere it is a table of the store.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter

from firstcause.core.model import Event
from firstcause.errors import FirstcauseError
from firstcause.store.tables import document_text, inbox, is_storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

MOST = 1000
"""Events in one parcel."""

MOST_BYTES = 16 * 1024 * 1024
"""Of the parcels that are given out together."""

_AT_ONCE = 500

events_of = TypeAdapter(list[Event])
_event = TypeAdapter(Event)
_DEFAULTS = {name: field.get_default(call_default_factory=True) for name, field in Event.model_fields.items()}


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
    told = {name: value for name, value in vars(event).items() if value != _DEFAULTS[name]}
    try:
        text = msgspec.json.encode(told, enc_hook=_plain).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        # It has what only the slower way knows how to write, or to clean.
        return document_text(_event, event)
    return text if is_storable(text) else document_text(_event, event)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise TypeError


@dataclass(frozen=True)
class Waiting:
    """A stored parcel. done: how many of its events are triaged; take: how many of the others to take now."""

    parcel: Parcel
    received_at: datetime
    done: int
    take: int


class TakenError(FirstcauseError):
    """Another process took these parcels first."""

    def __init__(self) -> None:
        super().__init__("another process triaged these events first")


class Batch(Protocol):
    """The oldest parcels that wait, to be triaged together."""

    @property
    def parcels(self) -> Sequence[Waiting]: ...

    def take(self, conn: sa.Connection) -> None:
        """What was to be taken of them is triaged, once the transaction is committed.

        TakenError where that is no longer so of all of them; the transaction then is to be rolled back.
        """


class Inbox(Protocol):
    """Where accepted events wait. The connections are those of the store that it belongs to."""

    def store(self, parcels: Sequence[Parcel], now: datetime) -> None:
        """When it returns they are on disk; StoreError where they are not."""

    def waiting(self, conn: sa.Connection, limit: int) -> Batch:
        """The oldest parcels with up to `limit` events to triage; of the first a part, if need be."""

    def count_waiting(self, conn: sa.Connection) -> int:
        """How many events wait for triage."""

    def bytes_waiting(self, conn: sa.Connection) -> int:
        """About as many bytes they take."""

    def close(self) -> None: ...


def packed(events: Sequence[Event]) -> list[Parcel]:
    """The events in parcels, in their order."""
    parts = (events[at : at + MOST] for at in range(0, len(events), MOST))
    return [Parcel(document_text(events_of, part).encode(), len(part)) for part in parts]


class Rows:
    """The inbox as a table of the store. write: opens one of its transactions."""

    def __init__(self, write: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._write = write

    def store(self, parcels: Sequence[Parcel], now: datetime) -> None:
        with self._write() as conn:
            store(conn, parcels, now)

    def waiting(self, conn: sa.Connection, limit: int) -> Batch:
        return waiting(conn, limit)

    def count_waiting(self, conn: sa.Connection) -> int:
        left = sa.func.coalesce(sa.func.sum(inbox.c.events - inbox.c.done), 0)
        return int(conn.execute(sa.select(left)).scalar_one())

    def bytes_waiting(self, conn: sa.Connection) -> int:
        # On Postgres as they lie there, without reading them.
        bytes_of = sa.func.length if conn.dialect.name == "sqlite" else sa.func.pg_column_size
        total = sa.func.coalesce(sa.func.sum(bytes_of(inbox.c.body, type_=sa.Integer)), 0)
        return int(conn.execute(sa.select(total)).scalar_one())

    def close(self) -> None:
        """There is nothing to close: the connections are the store's."""


@dataclass(frozen=True)
class RowBatch:
    """seqs: the rows of the parcels."""

    parcels: Sequence[Waiting]
    seqs: Sequence[int]

    def take(self, conn: sa.Connection) -> None:
        seqs = list(self.seqs)
        parts = [seqs[at : at + _AT_ONCE] for at in range(0, len(seqs), _AT_ONCE)]
        there = {
            tuple(row)
            for part in parts
            for row in conn.execute(
                sa.select(inbox.c.seq, inbox.c.key, inbox.c.done).where(inbox.c.seq.in_(part))
            )
        }
        # SQLite gives a number again once its row is gone, so the key is looked at too.
        if there != {(seq, each.parcel.key, each.done) for seq, each in zip(seqs, self.parcels, strict=True)}:
            raise TakenError
        last = self.parcels[-1]
        if last.done + last.take < last.parcel.events:
            conn.execute(inbox.update().where(inbox.c.seq == seqs[-1]).values(done=last.done + last.take))
            return
        for part in parts:
            conn.execute(inbox.delete().where(inbox.c.seq.in_(part)))


def store(conn: sa.Connection, parcels: Iterable[Parcel], now: datetime) -> None:
    """Into the table."""
    put_back(conn, (Waiting(each, now, 0, each.events) for each in parcels))


def put_back(conn: sa.Connection, parcels: Iterable[Waiting]) -> None:
    """Into the table, with what of them is triaged."""
    rows = [
        {
            "key": each.parcel.key,
            "received_at": each.received_at,
            "events": each.parcel.events,
            "done": each.done,
            "as_sent": each.parcel.as_sent,
            "body": each.parcel.body,
        }
        for each in parcels
    ]
    if rows:
        conn.execute(inbox.insert(), rows)


def waiting(conn: sa.Connection, limit: int) -> RowBatch:
    """Those of the table, see `Inbox.waiting`."""
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
        return RowBatch((), ())
    asked = sa.select(inbox).where(inbox.c.seq.between(min(takes), max(takes))).order_by(inbox.c.seq)
    rows = [row for row in conn.execute(asked) if row.seq in takes]
    parcels = [
        Waiting(Parcel(row.body, row.events, row.as_sent, row.key), row.received_at, row.done, takes[row.seq])
        for row in rows
    ]
    return RowBatch(parcels, [row.seq for row in rows])
