"""How far the files of the inbox are triaged

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("segment", sa.String(80), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_journal")),
    )


def downgrade() -> None:
    op.drop_table("journal")
