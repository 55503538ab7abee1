"""The inbox holds requests until they are triaged, the history of events is a table of its own

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0008"
down_revision = "0007"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_CHUNK_SIZE = 500

_INBOX = sa.table(
    "inbox",
    sa.column("seq", _BIG_ID),
    sa.column("key", sa.String),
    sa.column("received_at", sa.DateTime(timezone=True)),
    sa.column("events", sa.Integer),
    sa.column("done", sa.Integer),
    sa.column("as_sent", sa.Boolean),
    sa.column("body", sa.LargeBinary),
)
_OLD_INBOX = sa.table(
    "inbox",
    sa.column("event_id", sa.String),
    sa.column("received_at", sa.DateTime(timezone=True)),
    sa.column("event", _DOCUMENT),
)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("triaged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", sa.String(40)),
        sa.Column("problem", sa.Text()),
        sa.Column("event", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("event_id", name=op.f("uq_event_event_id")),
    )
    op.create_index("ix_event_triaged_at", "event", ["triaged_at"])
    op.execute(
        "INSERT INTO event (event_id, triaged_at, fingerprint, problem, event) "
        "SELECT event_id, triaged_at, fingerprint, problem, event FROM inbox "
        "WHERE triaged_at IS NOT NULL ORDER BY seq"
    )
    op.execute(
        "CREATE TEMPORARY TABLE carried AS SELECT seq, received_at, event FROM inbox WHERE triaged_at IS NULL"
    )
    op.drop_table("inbox")
    op.create_table(
        "inbox",
        sa.Column("seq", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("as_sent", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    no, body = "false", "convert_to('[' || event::text || ']', 'UTF8')"
    if sqlite:
        no, body = "0", "CAST('[' || event || ']' AS BLOB)"
    op.execute(
        "INSERT INTO inbox (key, received_at, events, as_sent, body) "  # noqa: S608 - words of our own
        f"SELECT 'carried-' || seq, received_at, 1, {no}, {body} "
        "FROM carried ORDER BY seq"
    )
    op.execute("DROP TABLE carried")


def downgrade() -> None:
    conn = op.get_bind()
    op.execute("ALTER TABLE inbox RENAME TO parcels")
    if conn.dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_inbox RENAME TO pk_parcels")
    op.create_table(
        "inbox",
        sa.Column("seq", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", _DOCUMENT, nullable=False),
        sa.Column("triaged_at", sa.DateTime(timezone=True)),
        sa.Column("fingerprint", sa.String(40)),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_inbox_event_id")),
    )
    only_waiting = sa.text("triaged_at IS NULL")
    op.create_index(
        "ix_inbox_untriaged", "inbox", ["seq"], sqlite_where=only_waiting, postgresql_where=only_waiting
    )
    op.execute(
        "INSERT INTO inbox (event_id, received_at, event, triaged_at, fingerprint, problem) "
        "SELECT event_id, triaged_at, event, triaged_at, fingerprint, problem FROM event ORDER BY id"
    )
    op.drop_table("event")
    payloads = sa.table("parcels", *(sa.column(column.name, column.type) for column in _INBOX.columns))
    seqs = conn.execute(sa.select(payloads.c.seq).order_by(payloads.c.seq)).scalars().all()
    for seq in seqs:
        _unpack_payload(conn, conn.execute(sa.select(payloads).where(payloads.c.seq == seq)).one())
    op.drop_table("parcels")


def _unpack_payload(conn: sa.Connection, payload: Any) -> None:
    query = sa.select(_OLD_INBOX.c.event_id)
    rows: dict[str, dict[str, Any]] = {}
    for event in _decode_events(payload):
        row = {"event_id": event["id"], "received_at": payload.received_at, "event": event}
        rows.setdefault(event["id"], row)
    event_ids = list(rows)
    for start in range(0, len(event_ids), _CHUNK_SIZE):
        chunk = event_ids[start : start + _CHUNK_SIZE]
        existing = set(conn.execute(query.where(_OLD_INBOX.c.event_id.in_(chunk))).scalars())
        if fresh := [rows[event_id] for event_id in chunk if event_id not in existing]:
            conn.execute(_OLD_INBOX.insert(), fresh)


def _decode_events(payload: Any) -> Iterator[dict[str, Any]]:
    """The events of a parcel that wait, as an earlier version knows them."""
    try:
        document = json.loads(payload.body)
    except ValueError:
        return
    for index, value in enumerate(document if isinstance(document, list) else [document]):
        if index < payload.done or not isinstance(value, dict):
            continue
        event = {key: item for key, item in value.items() if item is not None}
        if payload.as_sent:
            scope = (event.get("service"), event.get("tenant"), event.get("id"))
            event_id = (
                ":".join(part for part in scope if part) if event.get("id") else f"{payload.key}-{index}"
            )
            event |= {"id": event_id[:200], "time": event.get("time") or _format_time(payload.received_at)}
        yield event


def _format_time(moment: Any) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"
