"""What people say of causes

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ruling",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("effect_id", BIG_ID, nullable=False),
        sa.Column("cause_id", BIG_ID),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["effect_id"], ["alert.id"], name=op.f("fk_ruling_effect_id_alert")),
        sa.ForeignKeyConstraint(["cause_id"], ["alert.id"], name=op.f("fk_ruling_cause_id_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruling")),
    )
    op.create_index("ix_ruling_effect_id", "ruling", ["effect_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_ruling_effect_id", "ruling")
    op.drop_table("ruling")
