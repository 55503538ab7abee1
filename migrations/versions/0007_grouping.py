"""Alerts know the fingerprint that an earlier version gave them, when we opened them, and what they stand for

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_HAS_FORMER = sa.text("former IS NOT NULL")


def upgrade() -> None:
    op.add_column("alert", sa.Column("former", sa.String(40)))
    op.add_column("alert", sa.Column("opened_at", sa.DateTime(timezone=True)))
    op.add_column("alert", sa.Column("kinds", sa.Text()))
    op.create_index(
        "ix_alert_former",
        "alert",
        ["former"],
        unique=False,
        sqlite_where=_HAS_FORMER,
        postgresql_where=_HAS_FORMER,
    )
    op.create_index("ix_alert_opened_at", "alert", ["opened_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_alert_opened_at", "alert")
    op.drop_index("ix_alert_former", "alert")
    with op.batch_alter_table("alert") as batch:
        for name in ("kinds", "opened_at", "former"):
            batch.drop_column(name)
