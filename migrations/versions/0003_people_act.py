"""What people do about incidents: acknowledge, silence, drill

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("incident") as table:
        table.add_column(sa.Column("acknowledged_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("acknowledged_by", sa.String(200)))
        table.add_column(sa.Column("drill", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "silence",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("matchers", DOCUMENT, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index("ix_silence_ends_at", "silence", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_silence_ends_at", "silence")
    op.drop_table("silence")
    with op.batch_alter_table("incident") as table:
        table.drop_column("drill")
        table.drop_column("acknowledged_by")
        table.drop_column("acknowledged_at")
