"""The inbox: accepted events in the payloads in which they came, from acknowledgement until triage.

On Postgres the inbox is a table of the store. On SQLite it is a journal of files (inbox_journal.py): SQLite
has one writer, which triage holds for long, and senders must not wait for that.
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
from firstcause.store.statements import split_into_chunks
from firstcause.store.tables import inbox, is_storable, to_json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

MAX_PAYLOAD_EVENTS = 1000
"""Events in one payload."""

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Bytes of the payloads in one batch, as all of them are in memory during triage."""

event_list_adapter = TypeAdapter(list[Event])
_event_adapter = TypeAdapter(Event)
EVENT_DEFAULTS = {
    name: field.get_default(call_default_factory=True) for name, field in Event.model_fields.items()
}


@dataclass(frozen=True)
class EventPayload:
    """Events that were sent together, with secrets masked.

    body: JSON, a list of events.
    verbatim: the body is the sender's own, one event or a list, as `intake.fast_path` accepts it.
    key: makes up the ids of events that have none.
    """

    body: bytes
    event_count: int
    verbatim: bool = False
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


def encode_event(event: Event) -> str:
    """Encode an event as JSON text that every database stores; fields with their default are left out."""
    values = {name: value for name, value in vars(event).items() if value != EVENT_DEFAULTS[name]}
    try:
        text = msgspec.json.encode(values, enc_hook=_encode_model).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        # The event holds values that only the slower encoder can write or clean.
        return to_json_text(_event_adapter, event)
    return text if is_storable(text) else to_json_text(_event_adapter, event)


def _encode_model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise TypeError


@dataclass(frozen=True)
class PendingPayload:
    """A stored payload of which events wait.

    processed: how many of its events were triaged before.
    to_process: how many of the following events belong to this batch.
    """

    payload: EventPayload
    received_at: datetime
    processed: int
    to_process: int


class AlreadyClaimedError(FirstcauseError):
    """Another process triaged these payloads first."""

    def __init__(self) -> None:
        super().__init__("another process triaged these events first")


class PendingBatch(Protocol):
    """The oldest pending payloads, to be triaged together."""

    @property
    def payloads(self) -> Sequence[PendingPayload]:
        """The payloads in their order, empty where no event waits."""

    def mark_processed(self, conn: sa.Connection) -> None:
        """Record that the batch is triaged; it takes effect when the transaction commits.

        AlreadyClaimedError where another process triaged some of it; the caller must roll back then.
        """


class Inbox(Protocol):
    """Holds accepted events until triage. All connections are those of the inbox's own store."""

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        """Store payloads; they are on disk when this returns. StoreError where they could not be stored."""

    def load_pending(self, conn: sa.Connection, limit: int) -> PendingBatch:
        """Load the oldest payloads, up to `limit` events; a part of the first payload where it has more."""

    def count_pending(self, conn: sa.Connection) -> int:
        """Count the events that wait for triage."""

    def pending_bytes(self, conn: sa.Connection) -> int:
        """Estimate the bytes that pending payloads take on disk."""

    def check_writable(self) -> None:
        """Write where events are stored, beside the database. StoreError where that fails."""

    def close(self) -> None:
        """Release files; pending events stay for the next process."""


def pack_events(events: Sequence[Event]) -> list[EventPayload]:
    """Pack events into payloads, in their order."""
    return [
        EventPayload(to_json_text(event_list_adapter, chunk).encode(), len(chunk))
        for chunk in split_into_chunks(events, MAX_PAYLOAD_EVENTS)
    ]


class TableInbox:
    """The inbox as a table of the store. write: opens a transaction of the store."""

    def __init__(self, write: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._write = write

    def store(self, payloads: Sequence[EventPayload], now: datetime) -> None:
        """See `Inbox`."""
        with self._write() as conn:
            insert_payloads(conn, payloads, now)

    def load_pending(self, conn: sa.Connection, limit: int) -> PendingBatch:
        """See `Inbox`."""
        return load_pending(conn, limit)

    def count_pending(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        remaining = sa.func.coalesce(sa.func.sum(inbox.c.events - inbox.c.done), 0)
        return int(conn.execute(sa.select(remaining)).scalar_one())

    def pending_bytes(self, conn: sa.Connection) -> int:
        """See `Inbox`."""
        # On Postgres the compressed size, which does not read the bodies.
        bytes_of = sa.func.length if conn.dialect.name == "sqlite" else sa.func.pg_column_size
        total = sa.func.coalesce(sa.func.sum(bytes_of(inbox.c.body, type_=sa.Integer)), 0)
        return int(conn.execute(sa.select(total)).scalar_one())

    def check_writable(self) -> None:
        """Do nothing: the table is part of the store."""

    def close(self) -> None:
        """Do nothing: the connections belong to the store."""


@dataclass(frozen=True)
class RowBatch:
    """A batch from the table. seqs: the rows of the payloads."""

    payloads: Sequence[PendingPayload]
    seqs: Sequence[int]

    def mark_processed(self, conn: sa.Connection) -> None:
        """See `PendingBatch`."""
        chunks = list(split_into_chunks(self.seqs))
        existing = {
            tuple(row)
            for chunk in chunks
            for row in conn.execute(
                sa.select(inbox.c.seq, inbox.c.key, inbox.c.done).where(inbox.c.seq.in_(chunk))
            )
        }
        # SQLite reuses the number of a deleted row, so the key is compared too.
        if existing != {
            (seq, pending.payload.key, pending.processed)
            for seq, pending in zip(self.seqs, self.payloads, strict=True)
        }:
            raise AlreadyClaimedError
        last = self.payloads[-1]
        if last.processed + last.to_process < last.payload.event_count:
            conn.execute(
                inbox.update()
                .where(inbox.c.seq == self.seqs[-1])
                .values(done=last.processed + last.to_process)
            )
            return
        for chunk in chunks:
            conn.execute(inbox.delete().where(inbox.c.seq.in_(chunk)))


def insert_payloads(conn: sa.Connection, payloads: Iterable[EventPayload], now: datetime) -> None:
    """Insert new payloads into the table."""
    insert_pending(conn, (PendingPayload(payload, now, 0, payload.event_count) for payload in payloads))


def insert_pending(conn: sa.Connection, pending_payloads: Iterable[PendingPayload]) -> None:
    """Insert payloads into the table, with how many of their events are triaged."""
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
    """Load a batch from the table, see `Inbox.load_pending`."""
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
