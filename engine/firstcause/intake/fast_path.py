"""Requests in firstcause's own format that can be kept as they came: which these are, and the events in them.

Only a request that needs no mending is read here; `intake.native` reads all, and says what is wrong.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from pydantic import TypeAdapter

from firstcause.core.model import SEVERITY_NAMES, Event
from firstcause.intake.native_format import MAX_FIELDS, MAX_TEXT_LENGTH, build_scoped_id, clamp_event_time

_TIME_PATTERN = re.compile(
    r"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_SEVERITIES = {form(name) for name in SEVERITY_NAMES for form in (str.upper, str.lower, str.title)} | {None}

_Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)] | None
_ScalarValue = _Text | int | float | bool | None
_MaxFields = Meta(max_length=MAX_FIELDS)
_FlatValue = (
    _ScalarValue | Annotated[list[_ScalarValue], _MaxFields] | Annotated[dict[str, _ScalarValue], _MaxFields]
)


class _Source(Struct, forbid_unknown_fields=True, gc=False):
    file: _Text | None = None
    line: int | None = None
    function: _Text | None = None
    query: _Text | None = None


class _IncomingEvent(Struct, forbid_unknown_fields=True, gc=False):
    """An event in which nothing has to be changed or refused, once `_sound` says so."""

    id: Annotated[str, Meta(min_length=1)] | None = None
    time: str | None = None
    code: _Name = None
    message: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)] | None = None
    severity: str | None = None
    tenant: _Name = None
    service: _Name = None
    details: Annotated[dict[str, _FlatValue], _MaxFields] | None = None
    source: _Source | None = None
    stack: _Text | None = None
    tags: Annotated[dict[str, _Text], _MaxFields] | None = None
    resolved: bool = False


_event_decoder, _list_decoder = (
    msgspec.json.Decoder(_IncomingEvent),
    msgspec.json.Decoder(list[_IncomingEvent]),
)
_any_decoder = msgspec.json.Decoder()
_events_adapter = TypeAdapter(list[Event])


def count_events(body: bytes, max_events: int) -> int | None:
    """How many events the body has; None where it has none or more than most, or is not for us to read."""
    try:
        incoming = [_event_decoder.decode(body)] if body[:1] == b"{" else _list_decoder.decode(body)
        if not all(map(_is_acceptable, incoming)):
            return None
    except ValueError:
        return None
    return len(incoming) if 0 < len(incoming) <= max_events else None


def _is_acceptable(incoming: _IncomingEvent) -> bool:
    code, message = incoming.code, incoming.message
    if code is None and message is None:
        return False
    for name in (code, message, incoming.tenant, incoming.service):
        if name is not None and name.isspace():
            return False
    if incoming.time is not None:
        if _TIME_PATTERN.fullmatch(incoming.time) is None:
            return False
        datetime.fromisoformat(incoming.time)
    return incoming.severity in _SEVERITIES


def decode_events(body: bytes, key: str, received_at: datetime) -> list[Event]:
    """The events of a body that was counted; ValueError where it is another. key: see `inbox.Parcel`."""
    try:
        decoded = _any_decoder.decode(body)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None
    items = decoded if isinstance(decoded, list) else [decoded]
    if not all(isinstance(item, dict) for item in items):
        msg = "it is no list of events"
        raise ValueError(msg)
    return _events_adapter.validate_python(
        [_build_fields(item, f"{key}-{index}", received_at) for index, item in enumerate(items)]
    )


def _build_fields(item: dict[str, Any], default_id: str, received_at: datetime) -> dict[str, Any]:
    fields = {key: value for key, value in item.items() if value is not None}
    fields["id"] = (
        build_scoped_id(fields.get("id"), fields.get("service"), fields.get("tenant")) or default_id
    )
    if "time" not in fields:
        fields["time"] = received_at
        return fields
    fields["time"], extra_details = clamp_event_time(datetime.fromisoformat(fields["time"]), received_at)
    if extra_details:
        fields["details"] = {**fields.get("details", {}), **extra_details}
    return fields
