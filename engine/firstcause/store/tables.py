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
    Float,
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

# NUL and lone surrogates: Postgres stores neither, and one such character would fail a whole batch.
_UNSTORABLE_CHARS = re.compile("[\x00\ud800-\udfff]")

# The same in JSON text, and the numbers that JSON lacks. Surrogate pairs, which are characters, match too.
_UNSTORABLE_JSON = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")


def to_storable(value: Any) -> Any:
    """Return a JSON value that every database stores: U+FFFD for such characters, None for such numbers."""
    # Nearly every document is storable, and searching its text is quicker than walking through it.
    return value if is_storable(json.dumps(value)) else _replace_unstorable(value)


def is_storable(text: str) -> bool:
    """Check whether every database stores this JSON text unchanged."""
    # Nearly no text has any of these, and this check takes a tenth of the pattern's time.
    plain = "\\u" not in text and "NaN" not in text and "Infinity" not in text
    return plain or _UNSTORABLE_JSON.search(text) is None


def to_json_text(adapter: TypeAdapter[Any], value: Any) -> str:
    """Encode models as JSON text that every database stores; fields with their default are left out."""
    try:
        text = adapter.dump_json(value, exclude_defaults=True).decode()
    except PydanticSerializationError:
        # Lone surrogates have no UTF-8.
        text = ""
    if text and is_storable(text):
        return text
    return json.dumps(_replace_unstorable(adapter.dump_python(value, mode="json", exclude_defaults=True)))


def _replace_unstorable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE_CHARS.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_replace_unstorable(key): _replace_unstorable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_unstorable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC on every database; SQLite itself has no time zones."""

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


class ShortText(TypeDecorator[str]):
    """A short text from outside; on every database U+FFFD replaces what Postgres cannot store."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(_replace_unstorable(value))


class LongText(ShortText):
    """A text like ShortText, of any length."""

    impl = Text
    cache_ok = True


class JsonDocument(TypeDecorator[Any]):
    """A JSON document. Its texts are cleaned like ShortText; NaN and infinities become null.

    none_as_null: whether None is SQL's NULL, and not the JSON value null.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, *, none_as_null: bool = False) -> None:
        super().__init__()
        self._none_as_null = none_as_null

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = JSONB if dialect.name == "postgresql" else JSON
        return dialect.type_descriptor(kind(none_as_null=self._none_as_null))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return to_storable(value)


# SQLite generates ids only for a column of the type INTEGER.
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
    Column("event_id", ShortText(200), nullable=False, unique=True),
    Column("triaged_at", UtcTime, nullable=False),
    Column("fingerprint", String(40)),
    Column("problem", LongText),
    Column("event", JsonDocument, nullable=False),
    Index("ix_event_triaged_at", "triaged_at"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("fault", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("root_code", ShortText(200), nullable=False),
    Column("root_service", ShortText(200)),
    Column("root_tenant", ShortText(200)),
    Column("title", LongText, nullable=False),
    Column("priority", String(2), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("impact", JsonDocument, nullable=False),
    Column("suppressed", Boolean, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("fix", LongText),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", ShortText(200)),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Column("merged_into", BigId, ForeignKey("incident.id")),
    Column("transitions", JsonDocument),
    Column("flapping", JsonDocument),
    Column("root_verdict", JsonDocument),
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
    Column("code", ShortText(200), nullable=False),
    Column("catalogued", Boolean, nullable=False),
    Column("title", LongText, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("component", ShortText(200)),
    Column("tenant", ShortText(200)),
    Column("service", ShortText(200)),
    Column("probe", ShortText(200)),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("caused_by", String(40)),
    Column("role", String(20), nullable=False),
    Column("sample", JsonDocument, nullable=False),
    Column("verdicts", JsonDocument, nullable=False),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Column("incident_id", BigId, ForeignKey("incident.id")),
    Column("opened_at", UtcTime),
    Column("kinds", LongText),
    Column("received_at", UtcTime),
    Column("clock_skew", Float),
    Column("ended_at", UtcTime),
    Column("parts", JsonDocument(none_as_null=True)),
    Index(
        "uq_alert_active_fingerprint",
        "fingerprint",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index("ix_alert_fingerprint", "fingerprint", "resolved_at"),
    Index("ix_alert_incident_id", "incident_id"),
    Index("ix_alert_opened_at", "opened_at"),
    Index("ix_alert_tenant", "tenant"),
)

early_end = Table(
    "early_end",
    metadata,
    Column("fingerprint", String(40), primary_key=True),
    Column("part", String(40), primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    Column("event", JsonDocument, nullable=False),
    Index("ix_early_end_received_at", "received_at"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", ShortText(200), nullable=False),
    Column("what", LongText, nullable=False),
    Column("reason", LongText),
    Index("ix_timeline_incident_id", "incident_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("route", ShortText(200), nullable=False),
    Column("notifiers", JsonDocument, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("said_fault", String(40)),
    Column("said_priority", String(2)),
    Column("outcome", String(20)),
    Column("closed_at", UtcTime),
    Column("held_by", ShortText(200)),
    Column("error", LongText),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("noted_until", UtcTime),
    Column("sent_by", ShortText(200)),
    Column("reference", LongText),
    Column("check_at", UtcTime),
    Column("checks", Integer, nullable=False, server_default="0"),
    Index(
        "ix_outbox_check_at",
        "check_at",
        sqlite_where=text("check_at IS NOT NULL"),
        postgresql_where=text("check_at IS NOT NULL"),
    ),
    Index(
        "ix_outbox_waiting",
        "due_at",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index("ix_outbox_incident_id", "incident_id"),
)

receiver_state = Table(
    "receiver_state",
    metadata,
    Column("incident_id", BigId, ForeignKey("incident.id"), primary_key=True, autoincrement=False),
    Column("route", ShortText(200), primary_key=True),
    Column("notifier", ShortText(200), primary_key=True),
    Column("knows", String(10)),
    Column("fault", String(40)),
    Column("attempts", JsonDocument, nullable=False, server_default="[]"),
    Column("refused", LongText),
    Column("receipts_for", BigId),
    Column("receipts", JsonDocument, nullable=False, server_default="{}"),
)

notification_log = Table(
    "notification_log",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", BigId, ForeignKey("incident.id"), nullable=False),
    Column("outbox_id", BigId, ForeignKey("outbox.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("notifier", ShortText(200), nullable=False),
    Column("status", String(20), nullable=False),
    Column("code", ShortText(200), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("priority", String(2), nullable=False),
    Column("text", LongText, nullable=False),
    Column("reference", LongText),
    Column("error", LongText),
    Column("maybe_repeat", Boolean, nullable=False),
    Column("intelligence", JsonDocument, nullable=False),
    Index("ix_notification_log_incident_id", "incident_id"),
    Index("ix_notification_log_notifier", "notifier", "at"),
)

notification_registry = Table(
    "notification_registry",
    metadata,
    Column("code", ShortText(200), primary_key=True),
    Column("title", LongText, nullable=False),
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
    Column("matchers", JsonDocument, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", ShortText(200), nullable=False),
    Column("comment", LongText),
    Index("ix_silence_ends_at", "ends_at"),
)

ruling = Table(
    "ruling",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("effect_id", BigId, ForeignKey("alert.id"), nullable=False),
    Column("cause_id", BigId, ForeignKey("alert.id")),
    Column("at", UtcTime, nullable=False),
    Column("actor", ShortText(200), nullable=False),
    Column("reason", LongText),
    Index("ix_ruling_effect_id", "effect_id"),
)

dependency = Table(
    "dependency",
    metadata,
    Column("caller", ShortText(200), primary_key=True),
    Column("callee", ShortText(200), primary_key=True),
    Column("last_seen", UtcTime, nullable=False),
)

release = Table(
    "release",
    metadata,
    Column("service", ShortText(200), primary_key=True),
    Column("name", ShortText(200), primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
)

observation = Table(
    "observation",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("facts", JsonDocument, nullable=False),
    Index("ix_observation_at", "at"),
)

health_snapshot = Table(
    "health_snapshot",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("taken_at", UtcTime, nullable=False),
    Column("status", String(20), nullable=False),
    Column("good", LongText),
    Column("pinned_at", UtcTime),
    Column("pinned_by", ShortText(200)),
    Column("rolled", Boolean, nullable=False, server_default=false()),
    Column("body", LargeBinary, nullable=False),
    Index("ix_health_snapshot_taken_at", "taken_at"),
)

tally = Table(
    "tally",
    metadata,
    Column("at", UtcTime, primary_key=True),
    Column("code", ShortText(200), primary_key=True),
    Column("severity", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

daemon_run = Table(
    "daemon_run",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("started_at", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Index("ix_daemon_run_last_seen", "last_seen"),
)

store_claim = Table(
    "store_claim",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("fence", BigInteger, nullable=False),
    Column("holder", LongText, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", ShortText(200), nullable=False),
    Column("what", LongText, nullable=False),
    Column("about", ShortText(200)),
    Column("reason", LongText),
)
