"""Snapshots that are compact and know whether they are good; errors by the minute

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SNAPSHOT = sa.table(
    "health_snapshot",
    sa.column("id", sa.Integer),
    sa.column("taken_at", sa.DateTime(timezone=True)),
    sa.column("infrastructure", sa.JSON),
    sa.column("body", sa.LargeBinary),
)


def upgrade() -> None:
    with op.batch_alter_table("health_snapshot") as table:
        table.add_column(sa.Column("good", sa.Text()))
        table.add_column(sa.Column("pinned_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("pinned_by", sa.String(200)))
        table.add_column(sa.Column("rolled", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.add_column(sa.Column("body", sa.LargeBinary()))
    conn = op.get_bind()
    for row in conn.execute(
        sa.select(_SNAPSHOT.c.id, _SNAPSHOT.c.taken_at, _SNAPSHOT.c.infrastructure)
    ).all():
        body = zlib.compress(json.dumps(_build_body(row)).encode(), 9)
        conn.execute(_SNAPSHOT.update().where(_SNAPSHOT.c.id == row.id).values(body=body))
    with op.batch_alter_table("health_snapshot") as table:
        table.alter_column("body", existing_type=sa.LargeBinary(), nullable=False)
        table.drop_column("infrastructure")
    op.create_table(
        "tally",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", "code", "severity", name=op.f("pk_tally")),
    )


def _build_body(row: Any) -> dict[str, object]:
    # What an earlier version kept names no component; the probe's name is the best that is left.
    readings = {
        name: {
            "component": name,
            **{key: value for key, value in reading.items() if key != "data" and value is not None},
            "data": {key: value for key, value in (reading.get("data") or {}).items() if value is not None},
        }
        for name, reading in row.infrastructure.items()
    }
    return {"taken_at": f"{row.taken_at.replace(tzinfo=None).isoformat()}Z", "infrastructure": readings}


def downgrade() -> None:
    op.drop_table("tally")
    with op.batch_alter_table("health_snapshot") as table:
        table.add_column(sa.Column("infrastructure", sa.JSON()))
    conn = op.get_bind()
    for row in conn.execute(sa.select(_SNAPSHOT.c.id, _SNAPSHOT.c.body)).all():
        readings = json.loads(zlib.decompress(row.body)).get("infrastructure", {})
        for reading in readings.values():
            reading.pop("component", None)
        conn.execute(_SNAPSHOT.update().where(_SNAPSHOT.c.id == row.id).values(infrastructure=readings))
    with op.batch_alter_table("health_snapshot") as table:
        table.alter_column("infrastructure", existing_type=sa.JSON(), nullable=False)
        for name in ("body", "rolled", "pinned_by", "pinned_at", "good"):
            table.drop_column(name)
