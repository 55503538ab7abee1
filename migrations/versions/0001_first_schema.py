"""First schema

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)

_TABLES_IN_DROP_ORDER = (
    "tally", "health_snapshot", "observation", "release", "dependency", "audit", "silence",
    "notification_registry", "notification_log", "outbox", "ruling", "timeline", "alert", "incident",
    "event", "journal",
)  # fmt: skip
"""All tables but the inbox; a table comes before those that it refers to."""


def upgrade() -> None:
    # A downgrade to the base leaves an inbox in which events wait; they are triaged after the upgrade.
    if not sa.inspect(op.get_bind()).has_table("inbox"):
        _create_inbox()
    _create_journal_and_event()
    _create_incident()
    _create_alert()
    _create_timeline_and_ruling()
    _create_outbox()
    _create_notification_tables()
    _create_silence_and_audit()
    _create_topology()
    _create_health()


def downgrade() -> None:
    for table in _TABLES_IN_DROP_ORDER:
        op.drop_table(table)
    # Accepted events are never dropped: senders were told that they are kept.
    if op.get_bind().execute(sa.text("SELECT 1 FROM inbox LIMIT 1")).first() is None:
        op.drop_table("inbox")


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("as_sent", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
    )


def _create_journal_and_event() -> None:
    op.create_table(
        "journal",
        sa.Column("segment", sa.String(80), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_journal")),
    )
    op.create_table(
        "event",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("triaged_at", TIME, nullable=False),
        sa.Column("fingerprint", sa.String(40)),
        sa.Column("problem", sa.Text()),
        sa.Column("event", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("event_id", name=op.f("uq_event_event_id")),
    )
    op.create_index("ix_event_triaged_at", "event", ["triaged_at"])


def _create_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("fault", sa.String(40), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("root_code", sa.String(200), nullable=False),
        sa.Column("root_service", sa.String(200)),
        sa.Column("root_tenant", sa.String(200)),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("priority", sa.String(2), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("impact", DOCUMENT, nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("resolved_at", TIME),
        sa.Column("fix", sa.Text()),
        sa.Column("acknowledged_at", TIME),
        sa.Column("acknowledged_by", sa.String(200)),
        sa.Column("drill", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("merged_into", BIG_ID),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["incident.id"], name=op.f("fk_incident_merged_into_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_index("ix_incident_opened_at", "incident", ["opened_at"])
    op.create_index("ix_incident_root_code", "incident", ["root_code", "id"])
    op.create_index(
        "uq_incident_open_fault",
        "incident",
        ["fault"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(40), nullable=False),
        sa.Column("fault", sa.String(40), nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("catalogued", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("component", sa.String(200)),
        sa.Column("tenant", sa.String(200)),
        sa.Column("service", sa.String(200)),
        sa.Column("probe", sa.String(200)),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("resolved_at", TIME),
        sa.Column("caused_by", sa.String(40)),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("sample", DOCUMENT, nullable=False),
        sa.Column("verdicts", DOCUMENT, nullable=False),
        sa.Column("drill", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("incident_id", BIG_ID),
        sa.Column("opened_at", TIME),
        sa.Column("kinds", sa.Text()),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_alert_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_fingerprint", "alert", ["fingerprint", "resolved_at"])
    op.create_index("ix_alert_incident_id", "alert", ["incident_id"])
    op.create_index("ix_alert_opened_at", "alert", ["opened_at"])
    op.create_index("ix_alert_tenant", "alert", ["tenant"])
    op.create_index(
        "uq_alert_active_fingerprint",
        "alert",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _create_timeline_and_ruling() -> None:
    op.create_table(
        "timeline",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("incident_id", BIG_ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_timeline_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
    )
    op.create_index("ix_timeline_incident_id", "timeline", ["incident_id", "id"])
    op.create_table(
        "ruling",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("effect_id", BIG_ID, nullable=False),
        sa.Column("cause_id", BIG_ID),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["cause_id"], ["alert.id"], name=op.f("fk_ruling_cause_id_alert")),
        sa.ForeignKeyConstraint(["effect_id"], ["alert.id"], name=op.f("fk_ruling_effect_id_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruling")),
    )
    op.create_index("ix_ruling_effect_id", "ruling", ["effect_id"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("incident_id", BIG_ID, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("notifiers", DOCUMENT, nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("claimed_at", TIME),
        sa.Column("maybe_repeat", sa.Boolean(), nullable=False),
        sa.Column("said_fault", sa.String(40)),
        sa.Column("said_priority", sa.String(2)),
        sa.Column("outcome", sa.String(20)),
        sa.Column("closed_at", TIME),
        sa.Column("held_by", sa.String(200)),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_outbox_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_incident_id", "outbox", ["incident_id"])
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["due_at"],
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )


def _create_notification_tables() -> None:
    op.create_table(
        "notification_log",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("incident_id", BIG_ID, nullable=False),
        sa.Column("outbox_id", BIG_ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("notifier", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("priority", sa.String(2), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("maybe_repeat", sa.Boolean(), nullable=False),
        sa.Column("intelligence", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_notification_log_incident_id_incident")
        ),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_notification_log_outbox_id_outbox")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_log")),
    )
    op.create_index("ix_notification_log_incident_id", "notification_log", ["incident_id"])
    op.create_index("ix_notification_log_notifier", "notification_log", ["notifier", "at"])
    op.create_table(
        "notification_registry",
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("catalogued", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_notification_registry")),
    )


def _create_silence_and_audit() -> None:
    op.create_table(
        "silence",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("matchers", DOCUMENT, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index("ix_silence_ends_at", "silence", ["ends_at"])
    op.create_table(
        "audit",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("about", sa.String(200)),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )


def _create_topology() -> None:
    op.create_table(
        "dependency",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("callee", sa.String(200), nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("caller", "callee", name=op.f("pk_dependency")),
    )
    op.create_table(
        "release",
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("service", "name", name=op.f("pk_release")),
    )


def _create_health() -> None:
    op.create_table(
        "observation",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
    )
    op.create_index("ix_observation_at", "observation", ["at"])
    op.create_table(
        "health_snapshot",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("taken_at", TIME, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("good", sa.Text()),
        sa.Column("pinned_at", TIME),
        sa.Column("pinned_by", sa.String(200)),
        sa.Column("rolled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_health_snapshot")),
    )
    op.create_index("ix_health_snapshot_taken_at", "health_snapshot", ["taken_at"])
    op.create_table(
        "tally",
        sa.Column("at", TIME, nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", "code", "severity", name=op.f("pk_tally")),
    )
