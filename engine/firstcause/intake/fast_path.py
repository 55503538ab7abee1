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
from firstcause.intake.native_format import LONGEST_TEXT, WIDEST, happened, scoped_id

_TIME = re.compile(
    r"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_SEVERITIES = {form(name) for name in SEVERITY_NAMES for form in (str.upper, str.lower, str.title)} | {None}

_Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)] | None
_Plain = _Text | int | float | bool | None
_Few = Meta(max_length=WIDEST)
_Flat = _Plain | Annotated[list[_Plain], _Few] | Annotated[dict[str, _Plain], _Few]


class _Source(Struct, forbid_unknown_fields=True, gc=False):
    file: _Text | None = None
    line: int | None = None
    function: _Text | None = None
    query: _Text | None = None


class _Sent(Struct, forbid_unknown_fields=True, gc=False):
    """An event in which nothing has to be changed or refused, once `_sound` says so."""

    id: Annotated[str, Meta(min_length=1)] | None = None
    time: str | None = None
    code: _Name = None
    message: Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)] | None = None
    severity: str | None = None
    tenant: _Name = None
    service: _Name = None
    details: Annotated[dict[str, _Flat], _Few] | None = None
    source: _Source | None = None
    stack: _Text | None = None
    tags: Annotated[dict[str, _Text], _Few] | None = None
    resolved: bool = False


_one, _list = msgspec.json.Decoder(_Sent), msgspec.json.Decoder(list[_Sent])
_any = msgspec.json.Decoder()
_events = TypeAdapter(list[Event])


def count(body: bytes, most: int) -> int | None:
    """How many events the body has; None where it has none or more than most, or is not for us to read."""
    try:
        sent = [_one.decode(body)] if body[:1] == b"{" else _list.decode(body)
        if not all(map(_sound, sent)):
            return None
    except ValueError:
        return None
    return len(sent) if 0 < len(sent) <= most else None


def _sound(sent: _Sent) -> bool:
    code, message = sent.code, sent.message
    if code is None and message is None:
        return False
    for name in (code, message, sent.tenant, sent.service):
        if name is not None and name.isspace():
            return False
    if sent.time is not None:
        if _TIME.fullmatch(sent.time) is None:
            return False
        datetime.fromisoformat(sent.time)
    return sent.severity in _SEVERITIES


def events(body: bytes, key: str, received_at: datetime) -> list[Event]:
    """The events of a body that was counted; ValueError where it is another. key: see `inbox.Parcel`."""
    try:
        sent = _any.decode(body)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None
    listed = sent if isinstance(sent, list) else [sent]
    if not all(isinstance(each, dict) for each in listed):
        msg = "it is no list of events"
        raise ValueError(msg)
    return _events.validate_python(
        [_fields(each, f"{key}-{place}", received_at) for place, each in enumerate(listed)]
    )


def _fields(sent: dict[str, Any], name: str, received_at: datetime) -> dict[str, Any]:
    fields = {key: value for key, value in sent.items() if value is not None}
    fields["id"] = scoped_id(fields.get("id"), fields.get("service"), fields.get("tenant")) or name
    if "time" not in fields:
        fields["time"] = received_at
        return fields
    fields["time"], apart = happened(datetime.fromisoformat(fields["time"]), received_at)
    if apart:
        fields["details"] = {**fields.get("details", {}), **apart}
    return fields
