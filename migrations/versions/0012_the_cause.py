"""Incidents are found by the code of their cause

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("ix_incident_root_code", "incident", ["root_code", "id"])


def downgrade() -> None:
    op.drop_index("ix_incident_root_code", table_name="incident")
