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
_AT_ONCE = 500

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
_OLD = sa.table(
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
    parcels = sa.table("parcels", *(sa.column(each.name, each.type) for each in _INBOX.columns))
    seqs = conn.execute(sa.select(parcels.c.seq).order_by(parcels.c.seq)).scalars().all()
    for seq in seqs:
        _unpack(conn, conn.execute(sa.select(parcels).where(parcels.c.seq == seq)).one())
    op.drop_table("parcels")


def _unpack(conn: sa.Connection, parcel: Any) -> None:
    known = sa.select(_OLD.c.event_id)
    rows: dict[str, dict[str, Any]] = {}
    for event in _events(parcel):
        row = {"event_id": event["id"], "received_at": parcel.received_at, "event": event}
        rows.setdefault(event["id"], row)
    names = list(rows)
    for at in range(0, len(names), _AT_ONCE):
        part = names[at : at + _AT_ONCE]
        there = set(conn.execute(known.where(_OLD.c.event_id.in_(part))).scalars())
        if fresh := [rows[name] for name in part if name not in there]:
            conn.execute(_OLD.insert(), fresh)


def _events(parcel: Any) -> Iterator[dict[str, Any]]:
    """The events of a parcel that wait, as an earlier version knows them."""
    try:
        read = json.loads(parcel.body)
    except ValueError:
        return
    for place, value in enumerate(read if isinstance(read, list) else [read]):
        if place < parcel.done or not isinstance(value, dict):
            continue
        event = {key: item for key, item in value.items() if item is not None}
        if parcel.as_sent:
            scope = (event.get("service"), event.get("tenant"), event.get("id"))
            name = ":".join(part for part in scope if part) if event.get("id") else f"{parcel.key}-{place}"
            event |= {"id": name[:200], "time": event.get("time") or _shown(parcel.received_at)}
        yield event


def _shown(moment: Any) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"
