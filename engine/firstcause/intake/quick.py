"""Requests in firstcause's own format that can be kept as they came: which these are, and the events in them.

Only a request that needs no mending is read here; `intake.native` reads all, and says what is wrong.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, Strict, TypeAdapter, with_config
from typing_extensions import TypedDict

from firstcause.core.model import SEVERITY_NAMES, Event
from firstcause.intake.native import LONGEST_TEXT, WIDEST, happened, scoped_id

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = r"[^\s\x1c-\x1f]"
_TIME = (
    r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)

_Text = Annotated[str, Strict(), Field(max_length=LONGEST_TEXT)]
_Name = Annotated[str, Strict(), Field(max_length=200, pattern=_WORDS)] | None
_Number = Annotated[int, Strict()] | Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Plain = _Text | _Number | Annotated[bool, Strict()] | None
_Few = Field(max_length=WIDEST)
_Flat = _Plain | Annotated[list[_Plain], _Few] | Annotated[dict[str, _Plain], _Few]
_Severity = Annotated[str, Strict(), Field(pattern=f"^(?i:{'|'.join(SEVERITY_NAMES)})$")]


@with_config(ConfigDict(extra="forbid"))
class _Source(TypedDict, total=False):
    file: _Text | None
    line: Annotated[int, Strict()] | None
    function: _Text | None
    query: _Text | None


@with_config(ConfigDict(extra="forbid"))
class _Sent(TypedDict, total=False):
    """An event in which nothing has to be changed or refused."""

    id: Annotated[str, Strict(), Field(min_length=1)] | None
    time: Annotated[str, Strict(), Field(pattern=_TIME)] | None
    code: _Name
    message: Annotated[str, Strict(), Field(max_length=LONGEST_TEXT, pattern=_WORDS)] | None
    severity: _Severity | None
    tenant: _Name
    service: _Name
    details: Annotated[dict[str, _Flat], _Few] | None
    source: _Source | None
    stack: _Text | None
    tags: Annotated[dict[str, _Text], _Few] | None
    resolved: Annotated[bool, Strict()]


_one, _list = TypeAdapter(_Sent), TypeAdapter(list[_Sent])
_events = TypeAdapter(list[Event])


def _sent(body: bytes) -> list[dict[str, Any]]:
    read: Callable[[bytes], Any] = _one.validate_json if body[:1] == b"{" else _list.validate_json
    found = read(body)
    return [found] if isinstance(found, dict) else found


def count(body: bytes, most: int) -> int | None:
    """How many events the body has; None where it has none or more than most, or is not for us to read."""
    try:
        sent = _sent(body)
        for each in sent:
            if each.get("time") is not None:
                datetime.fromisoformat(each["time"])
    except ValueError:
        return None
    known = all(each.get("code") or each.get("message") for each in sent)
    return len(sent) if known and 0 < len(sent) <= most else None


def events(body: bytes, key: str, received_at: datetime) -> list[Event]:
    """The events of a body that was counted; ValueError where it is another. key: see `inbox.Parcel`."""
    return _events.validate_python(
        [_fields(each, f"{key}-{place}", received_at) for place, each in enumerate(_sent(body))]
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
