"""What each notifier of a route has told its people about an incident is a state of its own

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "receiver_state",
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("notifier", sa.String(200), nullable=False),
        sa.Column("knows", sa.String(10)),
        sa.Column("fault", sa.String(40)),
        sa.Column("attempts", DOCUMENT, nullable=False, server_default="[]"),
        sa.Column("refused", sa.Text()),
        sa.Column("receipts_for", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("receipts", DOCUMENT, nullable=False, server_default="{}"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_receiver_state_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("incident_id", "route", "notifier", name=op.f("pk_receiver_state")),
    )
    for column in (
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("noted_until", TIME),
        sa.Column("sent_by", sa.String(200)),
        sa.Column("reference", sa.Text()),
        sa.Column("check_at", TIME),
        sa.Column("checks", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("outbox", column)
    op.drop_column("outbox", "maybe_repeat")
    op.create_index(
        "ix_outbox_check_at",
        "outbox",
        ["check_at"],
        sqlite_where=sa.text("check_at IS NOT NULL"),
        postgresql_where=sa.text("check_at IS NOT NULL"),
    )
    _fill_states()
    _reopen_given_up()


def _fill_states() -> None:
    """Whoever was told of an incident that is open is to be told of its end."""
    op.execute(
        """
        INSERT INTO receiver_state (incident_id, route, notifier, knows, fault)
        SELECT outbox.incident_id, outbox.route, notification_log.notifier, 'open', MAX(outbox.said_fault)
        FROM notification_log
        JOIN outbox ON outbox.id = notification_log.outbox_id
        JOIN incident ON incident.id = outbox.incident_id
        WHERE incident.status = 'open' AND notification_log.status = 'sent' AND outbox.reason <> 'resolved'
          AND outbox.said_fault IS NOT NULL
          AND outbox.id > COALESCE((
            SELECT MAX(earlier.id) FROM outbox AS earlier
            WHERE earlier.incident_id = outbox.incident_id AND earlier.route = outbox.route
              AND earlier.reason = 'resolved' AND earlier.outcome = 'sent'
          ), 0)
        GROUP BY outbox.incident_id, outbox.route, notification_log.notifier
        """
    )


def _reopen_given_up() -> None:
    """A message that no notifier could deliver is the same message at each retry from now on."""
    op.execute(
        """
        UPDATE outbox SET outcome = NULL, closed_at = NULL, position = 0, attempts = 0, failures = 1
        WHERE outcome = 'given up'
          AND incident_id IN (SELECT id FROM incident WHERE status = 'open')
          AND id IN (SELECT MAX(id) FROM outbox GROUP BY incident_id, route)
        """
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_check_at", table_name="outbox")
    op.add_column(
        "outbox", sa.Column("maybe_repeat", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in ("failures", "noted_until", "sent_by", "reference", "check_at", "checks"):
        op.drop_column("outbox", name)
    op.drop_table("receiver_state")
