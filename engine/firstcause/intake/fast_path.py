"""Reads requests in firstcause's own format that can be stored as they came.

A request of which anything has to be changed or refused is left to `native_format`, which reads every request
and says what is wrong with it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic import TypeAdapter

from firstcause.core.model import SEVERITY_NAMES, Event
from firstcause.intake.event_fields import EVENT_FIELDS, STRICT_OBJECT, create_strict_struct
from firstcause.intake.native_format import build_scoped_id, correct_event_time

_TIME_PATTERN = re.compile(
    r"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
FIELD_NAMES = frozenset(field.name for field in EVENT_FIELDS)
_SEVERITIES = {form(name) for name in SEVERITY_NAMES for form in (str.upper, str.lower, str.title)} | {None}

_StrictEvent: Any = create_strict_struct(forbid_unknown_fields=True)
_KnownFields: Any = create_strict_struct(forbid_unknown_fields=False)
_event_decoder = msgspec.json.Decoder(_StrictEvent)
_list_decoder = msgspec.json.Decoder(list[_StrictEvent])
_known_fields_decoder = msgspec.json.Decoder(list[_KnownFields])
_limits_decoder = msgspec.json.Decoder(list[STRICT_OBJECT])
_any_decoder = msgspec.json.Decoder()
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_events_adapter = TypeAdapter(list[Event])


def count_events(body: bytes, max_events: int) -> int | None:
    """Count the events of a body; None for none, more than `max_events`, or any that must be changed."""
    try:
        incoming = _decode_strictly(body)
        if not all(map(is_acceptable, incoming)):
            return None
    except (ValueError, RecursionError):
        return None
    return len(incoming) if 0 < len(incoming) <= max_events else None


def _decode_strictly(body: bytes) -> list[Any]:
    """ValueError for any event that must be changed. Fields that the table has not are kept under details."""
    try:
        return [_event_decoder.decode(body)] if body[:1] == b"{" else _list_decoder.decode(body)
    except msgspec.ValidationError:
        in_list = b"[%b]" % body if body[:1] == b"{" else body
        _limits_decoder.decode(in_list)
        known_fields: list[Any] = _known_fields_decoder.decode(in_list)
        return known_fields


def join_lines(body: bytes) -> bytes | None:
    """Make a list of a body that has one JSON object in each line; None for another body."""
    lines = [line for line in body.splitlines() if line.strip()]
    try:
        for line in lines:
            _object_decoder.decode(line)
    except (ValueError, RecursionError):
        return None
    return b"[%b]" % b",".join(lines)


def is_acceptable(incoming: Any) -> bool:
    """Check what the types of `EVENT_FIELDS` cannot say."""
    code, message = incoming.code, incoming.message
    if code is None and message is None:
        return False
    for name in (code, message, incoming.tenant, incoming.service):
        if name is not None and name.isspace():
            return False
    for time in (incoming.time, incoming.sent_at):
        if time is not None:
            if _TIME_PATTERN.fullmatch(time) is None:
                return False
            datetime.fromisoformat(time)
    return incoming.severity in _SEVERITIES


def decode_events(body: bytes, key: str, received_at: datetime) -> list[Event]:
    """Read the events of a body that `count_events` has accepted; ValueError for another body.

    key: of the payload in the inbox; an event without an id gets one that is made from this key.
    """
    try:
        decoded = _any_decoder.decode(body)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None
    items = decoded if isinstance(decoded, list) else [decoded]
    if not all(isinstance(item, dict) for item in items):
        msg = "it is not a list of events"
        raise ValueError(msg)
    return _events_adapter.validate_python(
        [_build_fields(item, f"{key}-{index}", received_at) for index, item in enumerate(items)]
    )


def _build_fields(item: dict[str, Any], default_id: str, received_at: datetime) -> dict[str, Any]:
    fields = {key: value for key, value in item.items() if value is not None and key in FIELD_NAMES}
    fields["id"] = (
        build_scoped_id(fields.get("id"), fields.get("service"), fields.get("tenant")) or default_id
    )
    extra_details = {key: value for key, value in item.items() if key not in FIELD_NAMES}
    if "time" not in fields:
        fields["time"] = received_at
    else:
        sent_at = _parse_time(fields["sent_at"]) if "sent_at" in fields else None
        fields["time"], time_details = correct_event_time(_parse_time(fields["time"]), received_at, sent_at)
        extra_details |= time_details
    if extra_details:
        fields["details"] = {**fields.get("details", {}), **extra_details}
    return fields


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
