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
from firstcause.store.tables import inbox, is_storable, to_json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

MAX_PAYLOAD_EVENTS = 1000
"""Events in one parcel."""

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Of the parcels that are given out together."""

_CHUNK_SIZE = 500

event_list_adapter = TypeAdapter(list[Event])
_event_adapter = TypeAdapter(Event)
_EVENT_DEFAULTS = {
    name: field.get_default(call_default_factory=True) for name, field in Event.model_fields.items()
}


@dataclass(frozen=True)
class EventPayload:
    """Events that were sent together, masked. body: a list of them as JSON.

    as_sent: the body is its sender's, one event or a list, as `intake.quick` reads them.
    key: names those that have no id of their own.
    """

    body: bytes
    event_count: int
    verbatim: bool = False
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


def encode_event(event: Event) -> str:
    """An event as JSON that every database stores."""
    values = {name: value for name, value in vars(event).items() if value != _EVENT_DEFAULTS[name]}
    try:
        text = msgspec.json.encode(values, enc_hook=_encode_model).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        # It has what only the slower way knows how to write, or to clean.
        return to_json_text(_event_adapter, event)
    return text if is_storable(text) else to_json_text(_event_adapter, event)


def _encode_model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise TypeError


@dataclass(frozen=True)
class PendingPayload:
    """A stored parcel. done: how many of its events are triaged; take: how many of the others to take now."""

    payload: EventPayload
    received_at: datetime
    processed: int
    to_process: int


class AlreadyClaimedError(FirstcauseError):
    """Another process took these parcels first."""

    def __init__(self) -> None:
        super().__init__("another process triaged these events first")


class PendingBatch(Protocol):
    """The oldest parcels that wait, to be triaged together."""

    @property
    def payloads(self) -> Sequence[PendingPayload]: ...

    def mark_processed(self, conn: sa.Connection) -> None:
        """What was to be taken of them is triaged, once the transaction is committed.

        TakenError where that is no longer so of all of them; the transaction then is to be rolled back.
        """


class Inbox(Protocol):
    """Where accepted events wait. The connections are those of the store that it belongs to."""

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        """When it returns they are on disk; StoreError where they are not."""

    def load_pending(self, conn: sa.Connection, limit: int) -> PendingBatch:
        """The oldest parcels with up to `limit` events to triage; of the first a part, if need be."""

    def count_pending(self, conn: sa.Connection) -> int:
        """How many events wait for triage."""

    def pending_bytes(self, conn: sa.Connection) -> int:
        """About as many bytes they take."""

    def close(self) -> None: ...


def pack_events(events: Sequence[Event]) -> list[EventPayload]:
    """The events in parcels, in their order."""
    chunks = (
        events[start : start + MAX_PAYLOAD_EVENTS] for start in range(0, len(events), MAX_PAYLOAD_EVENTS)
    )
    return [EventPayload(to_json_text(event_list_adapter, chunk).encode(), len(chunk)) for chunk in chunks]


class TableInbox:
    """The inbox as a table of the store. write: opens one of its transactions."""

    def __init__(self, write: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._write = write

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        with self._write() as conn:
            insert_payloads(conn, payloads, now)

    def load_pending(self, conn: sa.Connection, limit: int) -> PendingBatch:
        return load_pending(conn, limit)

    def count_pending(self, conn: sa.Connection) -> int:
        remaining = sa.func.coalesce(sa.func.sum(inbox.c.events - inbox.c.done), 0)
        return int(conn.execute(sa.select(remaining)).scalar_one())

    def pending_bytes(self, conn: sa.Connection) -> int:
        # On Postgres as they lie there, without reading them.
        bytes_of = sa.func.length if conn.dialect.name == "sqlite" else sa.func.pg_column_size
        total = sa.func.coalesce(sa.func.sum(bytes_of(inbox.c.body, type_=sa.Integer)), 0)
        return int(conn.execute(sa.select(total)).scalar_one())

    def close(self) -> None:
        """There is nothing to close: the connections are the store's."""


@dataclass(frozen=True)
class RowBatch:
    """seqs: the rows of the parcels."""

    payloads: Sequence[PendingPayload]
    seqs: Sequence[int]

    def mark_processed(self, conn: sa.Connection) -> None:
        seqs = list(self.seqs)
        chunks = [seqs[start : start + _CHUNK_SIZE] for start in range(0, len(seqs), _CHUNK_SIZE)]
        existing = {
            tuple(row)
            for chunk in chunks
            for row in conn.execute(
                sa.select(inbox.c.seq, inbox.c.key, inbox.c.done).where(inbox.c.seq.in_(chunk))
            )
        }
        # SQLite gives a number again once its row is gone, so the key is looked at too.
        if existing != {
            (seq, pending.payload.key, pending.processed)
            for seq, pending in zip(seqs, self.payloads, strict=True)
        }:
            raise AlreadyClaimedError
        last = self.payloads[-1]
        if last.processed + last.to_process < last.payload.event_count:
            conn.execute(
                inbox.update().where(inbox.c.seq == seqs[-1]).values(done=last.processed + last.to_process)
            )
            return
        for chunk in chunks:
            conn.execute(inbox.delete().where(inbox.c.seq.in_(chunk)))


def insert_payloads(conn: sa.Connection, payloads: Iterable[EventPayload], now: datetime) -> None:
    """Into the table."""
    insert_pending(conn, (PendingPayload(payload, now, 0, payload.event_count) for payload in payloads))


def insert_pending(conn: sa.Connection, pending_payloads: Iterable[PendingPayload]) -> None:
    """Into the table, with what of them is triaged."""
    rows = [
        {
            "key": pending.payload.key,
            "received_at": pending.received_at,
            "events": pending.payload.event_count,
            "done": pending.processed,
            "as_sent": pending.payload.verbatim,
            "body": pending.payload.body,
        }
        for pending in pending_payloads
    ]
    if rows:
        conn.execute(inbox.insert(), rows)


def load_pending(conn: sa.Connection, limit: int) -> RowBatch:
    """Those of the table, see `Inbox.waiting`."""
    sizes = sa.select(inbox.c.seq, inbox.c.events, inbox.c.done, sa.func.length(inbox.c.body).label("size"))
    counts_by_seq: dict[int, int] = {}
    events = size = 0
    for row in conn.execute(sizes.order_by(inbox.c.seq).limit(limit)):
        remaining = row.events - row.done
        if counts_by_seq and (events + remaining > limit or size + row.size > MAX_BATCH_BYTES):
            break
        counts_by_seq[row.seq] = min(remaining, limit)
        events, size = events + remaining, size + row.size
    if not counts_by_seq:
        return RowBatch((), ())
    query = (
        sa.select(inbox)
        .where(inbox.c.seq.between(min(counts_by_seq), max(counts_by_seq)))
        .order_by(inbox.c.seq)
    )
    rows = [row for row in conn.execute(query) if row.seq in counts_by_seq]
    payloads = [
        PendingPayload(
            EventPayload(row.body, row.events, row.as_sent, row.key),
            row.received_at,
            row.done,
            counts_by_seq[row.seq],
        )
        for row in rows
    ]
    return RowBatch(payloads, [row.seq for row in rows])
