"""Incidents keep the strongest verdict about their root, so that what was told stays told

Revision ID: 0008
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0005"

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("incident", sa.Column("root_verdict", DOCUMENT))


def downgrade() -> None:
    op.drop_column("incident", "root_verdict")
