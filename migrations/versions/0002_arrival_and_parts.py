"""Alerts know when something of them last arrived, and their parts

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
_ALERT_COLUMNS = (
    ("received_at", TIME),
    ("clock_skew", sa.Float()),
    ("ended_at", TIME),
    ("parts", DOCUMENT),
)


def upgrade() -> None:
    for name, kind in _ALERT_COLUMNS:
        op.add_column("alert", sa.Column(name, kind))
    # Until now the sender's time stood for the time of arrival too.
    op.execute("UPDATE alert SET received_at = last_seen")
    op.create_table(
        "early_end",
        sa.Column("fingerprint", sa.String(40), nullable=False),
        sa.Column("part", sa.String(40), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("event", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "part", name=op.f("pk_early_end")),
    )
    op.create_index("ix_early_end_received_at", "early_end", ["received_at"])


def downgrade() -> None:
    op.drop_table("early_end")
    for name, _ in _ALERT_COLUMNS:
        op.drop_column("alert", name)
