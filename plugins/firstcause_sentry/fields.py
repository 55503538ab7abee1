"""Reads single fields of what Sentry's SDKs send. Their shapes differ, so an odd field counts as none."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NAME_LENGTH = 200
_MAX_TAG_LENGTH = 2000
_LEGACY_NAMES = {
    "sentry.interfaces.Exception": "exception",
    "sentry.interfaces.Http": "request",
    "sentry.interfaces.Message": "logentry",
    "sentry.interfaces.Stacktrace": "stacktrace",
    "sentry.interfaces.User": "user",
}
"""Names of fields in old SDKs -> their names today."""


def rename_legacy_fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of old SDKs their names of today."""
    renamed = {new: payload[old] for old, new in _LEGACY_NAMES.items() if old in payload}
    return {**renamed, **payload}


def as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def select_objects(value: object) -> list[dict[str, Any]]:
    """List the objects of a field, which may be a list or hold one under `values`."""
    entries = value.get("values") if isinstance(value, dict) else value
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def to_text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def to_integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_attribute(value: object) -> str:
    """An attribute of a log: {"value": ..., "type": ...}, or the value itself."""
    raw = value.get("value") if isinstance(value, dict) else value
    return str(raw)[:_MAX_TAG_LENGTH]


def read_tags(payload: Mapping[str, Any]) -> dict[str, str]:
    """They come as an object or as pairs."""
    raw_tags = payload.get("tags")
    pairs = raw_tags.items() if isinstance(raw_tags, dict) else raw_tags if isinstance(raw_tags, list) else ()
    tags = {}
    for pair in pairs:
        with suppress(TypeError, ValueError):
            name, value = pair
            if value is not None:
                tags[str(name)] = str(value)[:_MAX_TAG_LENGTH]
    if environment := to_text(payload.get("environment")):
        tags.setdefault("environment", environment[:_MAX_TAG_LENGTH])
    return tags


def select_tag(tags: Mapping[str, str], names: Sequence[str]) -> str | None:
    value = next((tags[name].strip() for name in names if tags.get(name, "").strip()), None)
    return value[:MAX_NAME_LENGTH] if value else None


def read_log_text(payload: Mapping[str, Any]) -> str | None:
    """What the application logged, as logentry or message, with its parameters filled in."""
    for candidate in (payload.get("logentry"), payload.get("message")):
        if text := to_text(candidate) or _fill_template(as_dict(candidate)):
            return text
    return None


def _fill_template(entry: Mapping[str, Any]) -> str | None:
    if formatted := to_text(entry.get("formatted")):
        return formatted
    template, params = to_text(entry.get("message")), entry.get("params")
    if template is not None and params:
        with suppress(TypeError, ValueError, KeyError):
            return template % (tuple(params) if isinstance(params, list) else params)
    return template


def make_event_id(value: object) -> str:
    text = to_text(value)
    return f"sentry:{text[:64] if text else uuid.uuid4().hex}"


def parse_time(value: object) -> datetime | None:
    """Seconds since 1970, or ISO 8601; None where it is neither."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return None
