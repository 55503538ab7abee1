"""Incidents know how they flap, and the store knows when the daemon ran

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
_INCIDENT_COLUMNS = ("transitions", "flapping")


def upgrade() -> None:
    for name in _INCIDENT_COLUMNS:
        op.add_column("incident", sa.Column(name, DOCUMENT))
    op.create_table(
        "daemon_run",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daemon_run")),
    )
    op.create_index("ix_daemon_run_last_seen", "daemon_run", ["last_seen"])


def downgrade() -> None:
    op.drop_table("daemon_run")
    for name in _INCIDENT_COLUMNS:
        op.drop_column("incident", name)
