"""The tables. A change here needs a migration; a test holds the two together."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.types import TypeEngine

# Postgres stores neither, and one such character would keep a whole batch out: NUL, and halves of characters.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


# The same in JSON text, and the numbers that JSON lacks. Pairs of halves, which are characters, as well.
_SUSPECT = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")


def storable(value: Any) -> Any:
    # Nearly every document is fine as it is, and a look at its text is quicker than a walk through it.
    return value if is_storable(json.dumps(value)) else _cleaned(value)


def is_storable(text: str) -> bool:
    """Whether every database stores this JSON text as it is."""
    # Nearly none has any of these, and to see that takes a tenth of what the pattern takes.
    plain = "\\u" not in text and "NaN" not in text and "Infinity" not in text
    return plain or _SUSPECT.search(text) is None


def document_text(models: TypeAdapter[Any], value: Any) -> str:
    """Models as JSON text that every database stores, cleaned as documents are; defaults are left out."""
    try:
        text = models.dump_json(value, exclude_defaults=True).decode()
    except PydanticSerializationError:
        # Halves of characters have no UTF-8.
        text = ""
    if text and is_storable(text):
        return text
    return json.dumps(_cleaned(models.dump_python(value, mode="json", exclude_defaults=True)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class UtcTime(TypeDecorator[datetime]):
    """An instant in UTC on every database; SQLite itself knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Name(TypeDecorator[str]):
    """A short text from outside; U+FFFD stands for what Postgres cannot store, on every database."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(_cleaned(value))


class Words(Name):
    """As Name, of any length."""

    impl = Text
    cache_ok = True


class Document(TypeDecorator[Any]):
    """JSON. Its texts as in Name; NaN and the infinities, which JSON lacks, become null."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return storable(value)


# SQLite counts up by itself only for a column of the type INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", BigId, primary_key=True, autoincrement=True),
    Column("key", String(40), nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("events", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("as_sent", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("segment", String(80), primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("done", Integer, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("event_id", Name(200), nullable=False, unique=True),
    Column("triaged_at", UtcTime, nullable=False),
    Column("fingerprint", String(40)),
    Column("problem", Words),
    Column("event", Document, nullable=False),
    Index("ix_event_triaged_at", "triaged_at"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("fault", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("root_code", Name(200), nullable=False),
    Column("root_service", Name(200)),
    Column("root_tenant", Name(200)),
    Column("title", Words, nullable=False),
    Column("priority", String(2), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("impact", Document, nullable=False),
    Column("suppressed", Boolean, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("fix", Words),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", Name(200)),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Column("merged_into", BigId, ForeignKey("incident.id")),
    Index(
        "uq_incident_open_fault",
        "fault",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
    Index("ix_incident_opened_at", "opened_at"),
    Index("ix_incident_root_code", "root_code", "id"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("fingerprint", String(40), nullable=False),
    Column("fault", String(40), nullable=False),
    Column("code", Name(200), nullable=False),
    Column("catalogued", Boolean, nullable=False),
    Column("title", Words, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("component", Name(200)),
    Column("tenant", Name(200)),
    Column("service", Name(200)),
    Column("probe", Name(200)),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("caused_by", String(40)),
    Column("role", String(20), nullable=False),
    Column("sample", Document, nullable=False),
    Column("verdicts", Document, nullable=False),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Column("incident_id", BigId, ForeignKey("incident.id")),
    Column("former", String(40)),
    Column("opened_at", UtcTime),
    Column("kinds", Words),
    Index(
        "uq_alert_active_fingerprint",
        "fingerprint",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index("ix_alert_fingerprint", "fingerprint", "resolved_at"),
    Index("ix_alert_incident_id", "incident_id"),
    Index(
        "ix_alert_former",
        "former",
        sqlite_where=text("former IS NOT NULL"),
        postgresql_where=text("former IS NOT NULL"),
    ),
    Index("ix_alert_opened_at", "opened_at"),
    Index("ix_alert_tenant", "tenant"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Name(200), nullable=False),
    Column("what", Words, nullable=False),
    Column("reason", Words),
    Index("ix_timeline_incident_id", "incident_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("route", Name(200), nullable=False),
    Column("notifiers", Document, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("maybe_repeat", Boolean, nullable=False),
    Column("said_fault", String(40)),
    Column("said_priority", String(2)),
    Column("outcome", String(20)),
    Column("closed_at", UtcTime),
    Column("held_by", Name(200)),
    Column("error", Words),
    Index(
        "ix_outbox_waiting",
        "due_at",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index("ix_outbox_incident_id", "incident_id"),
)

notification_log = Table(
    "notification_log",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("outbox_id", BigId, ForeignKey("outbox.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("notifier", Name(200), nullable=False),
    Column("status", String(20), nullable=False),
    Column("code", Name(200), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("priority", String(2), nullable=False),
    Column("text", Words, nullable=False),
    Column("reference", Words),
    Column("error", Words),
    Column("maybe_repeat", Boolean, nullable=False),
    Column("intelligence", Document, nullable=False),
    Index("ix_notification_log_incident_id", "incident_id"),
    Index("ix_notification_log_notifier", "notifier", "at"),
)

notification_registry = Table(
    "notification_registry",
    metadata,
    Column("code", Name(200), primary_key=True),
    Column("title", Words, nullable=False),
    Column("catalogued", Boolean, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("count", BigInteger, nullable=False),
)

silence = Table(
    "silence",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("matchers", Document, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Name(200), nullable=False),
    Column("comment", Words),
    Index("ix_silence_ends_at", "ends_at"),
)

ruling = Table(
    "ruling",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("effect_id", BigId, ForeignKey("alert.id"), nullable=False),
    Column("cause_id", BigId, ForeignKey("alert.id")),
    Column("at", UtcTime, nullable=False),
    Column("actor", Name(200), nullable=False),
    Column("reason", Words),
    Index("ix_ruling_effect_id", "effect_id"),
)

dependency = Table(
    "dependency",
    metadata,
    Column("caller", Name(200), primary_key=True),
    Column("callee", Name(200), primary_key=True),
    Column("last_seen", UtcTime, nullable=False),
)

release = Table(
    "release",
    metadata,
    Column("service", Name(200), primary_key=True),
    Column("name", Name(200), primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
)

observation = Table(
    "observation",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("facts", Document, nullable=False),
    Index("ix_observation_at", "at"),
)

health_snapshot = Table(
    "health_snapshot",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("taken_at", UtcTime, nullable=False),
    Column("status", String(20), nullable=False),
    Column("good", Words),
    Column("pinned_at", UtcTime),
    Column("pinned_by", Name(200)),
    Column("rolled", Boolean, nullable=False, server_default=false()),
    Column("body", LargeBinary, nullable=False),
    Index("ix_health_snapshot_taken_at", "taken_at"),
)

tally = Table(
    "tally",
    metadata,
    Column("at", UtcTime, primary_key=True),
    Column("code", Name(200), primary_key=True),
    Column("severity", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Name(200), nullable=False),
    Column("what", Words, nullable=False),
    Column("about", Name(200)),
    Column("reason", Words),
)
