"""When people are told: reminders, escalation, what is held back, drills; who calls whom

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("said_priority", sa.String(2)))
        table.add_column(sa.Column("closed_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("held_by", sa.String(200)))
    with op.batch_alter_table("alert") as table:
        table.add_column(sa.Column("drill", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "dependency",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("callee", sa.String(200), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "callee", name=op.f("pk_dependency")),
    )
    op.create_index("ix_notification_log_notifier", "notification_log", ["notifier", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_notification_log_notifier", "notification_log")
    op.drop_table("dependency")
    with op.batch_alter_table("alert") as table:
        table.drop_column("drill")
    with op.batch_alter_table("outbox") as table:
        table.drop_column("held_by")
        table.drop_column("closed_at")
        table.drop_column("said_priority")
