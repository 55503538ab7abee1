"""firstcause's own format: one event, a list of them, or NDJSON."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from firstcause.core.model import Event
from firstcause.core.text.json_decoding import decode_json
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import RejectedItem
from firstcause.intake.event_fields import MAX_DEPTH, MAX_FIELDS, MAX_TEXT_LENGTH, create_lenient_model

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours; an event that is further ahead gets our time."""

_MAX_DELAY = timedelta(seconds=30)
"""How long a request may take to arrive; only a greater difference is one of the clocks."""

_FIRST_PLAUSIBLE_TIME = datetime(2001, 1, 1, tzinfo=UTC)
"""No event is older. Clocks that are not set start at 1970, 1980 or 2000."""

MAX_EVENTS = 100_000
"""Events that one request may have."""

_MAX_ID_LENGTH = 200
# Postgres stores neither in JSON: NUL, and halves of characters that JSON's \ud800 brings in.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|[\r\n]")
_MAX_SHOWN_ERRORS = 3


@dataclass(frozen=True)
class ParseResult:
    """The events of one request in their order, and those that were rejected."""

    events: list[Event] = field(default_factory=list)
    rejected: list[RejectedItem] = field(default_factory=list)


class _IncomingBase(BaseModel):
    """The base of the model of incoming events. Fields that are not in the table go under details."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _require_code_or_message(self) -> _IncomingBase:
        fields = self.__dict__
        if fields["code"] is None and not (fields["message"] or "").strip():
            msg = "give a code or a message that says which error it is"
            raise ValueError(msg)
        return self


_IncomingEvent = create_lenient_model(_IncomingBase)


def parse(
    body: bytes,
    content_type: str,
    *,
    now: datetime,
    new_id: Callable[[], str],
    max_event_bytes: int,
) -> ParseResult:
    """Read the events of a request body. An invalid event is rejected; the others are read.

    content_type: with "ndjson" or "jsonl" in it the body is read line by line; so is a body that is JSON only
        line by line.
    new_id: makes the id of an event that has none.
    max_event_bytes: of one event, as JSON.
    Raises IntakeError 400 where nothing can be read, 413 for more than MAX_EVENTS.
    """
    parsed = ParseResult()
    limit = max_event_bytes if len(body) > max_event_bytes else None
    for index, value in enumerate(decode_values(body, content_type)):
        try:
            parsed.events.append(build_event(value, now, new_id, limit))
        except IntakeError as error:
            parsed.rejected.append(RejectedItem(index, str(error), error.status))
    return parsed


def decode_values(body: bytes, content_type: str) -> list[Any]:
    """Decode the JSON values of a body; a line that is not JSON becomes a ValueError in its place.

    Raises IntakeError 400 where nothing can be read, 413 for more than MAX_EVENTS.
    """
    values = _decode_body(body, content_type)
    if len(values) > MAX_EVENTS:
        msg = f"the request has {len(values)} events, more than {MAX_EVENTS}; split it"
        raise IntakeError(msg, 413)
    return values


def is_line_type(content_type: str) -> bool:
    """Whether a body of that type, in lower case, is read line by line."""
    return "ndjson" in content_type or "jsonl" in content_type


def _decode_body(body: bytes, content_type: str) -> list[Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"the body is not UTF-8: byte {error.start} is wrong"
        raise IntakeError(msg) from None
    if not text.strip():
        msg = "the body is empty; send an event as JSON"
        raise IntakeError(msg)
    if not is_line_type(content_type):
        try:
            value = _load_json(text)
        except ValueError as error:
            if "Extra data" not in str(error):
                msg = f"the body is not JSON: {error}"
                raise IntakeError(msg) from None
        else:
            return value if isinstance(value, list) else [value]
    # Other ends of lines that Unicode knows may stand within a text.
    return [_decode_line(line) for line in _LINE_END.split(text) if line.strip()]


def _decode_line(line: str) -> Any:
    try:
        return _load_json(line)
    except ValueError as error:
        return ValueError(f"the line is not JSON: {error}")


def _load_json(text: str) -> Any:
    try:
        return decode_json(text)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None


def json_size(value: object) -> int:
    """Return the size of a value as compact JSON, in bytes."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def build_event(value: object, now: datetime, new_id: Callable[[], str], limit: int | None) -> Event:
    """Build the event of a decoded value. Raises IntakeError for one that is rejected.

    limit: bytes that it may have as JSON; None where the body is not larger.
    """
    if isinstance(value, ValueError):
        raise IntakeError(str(value))
    if limit is not None and json_size(value) > limit:
        msg = f"the event is over {limit} bytes"
        raise IntakeError(msg, 413)
    if not isinstance(value, dict):
        msg = f"an event is a JSON object, not {_name_json_type(value)}"
        raise IntakeError(msg, 422)
    try:
        incoming = _IncomingEvent.model_validate(make_storable(value))
    except ValidationError as error:
        raise IntakeError(_format_errors(error), 422) from None
    except (OverflowError, RecursionError):
        msg = "time: out of range, or the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    fields = dict(incoming.__dict__)
    # A time of ours is not corrected by the sender's clock.
    sent_at = fields["sent_at"] if fields["time"] is not None else None
    time, extra_details = correct_event_time(fields["time"] or now, now, sent_at)
    fields["id"] = build_scoped_id(fields["id"], fields["service"], fields["tenant"]) or new_id()
    fields["time"] = time
    fields["details"] = {**(fields["details"] or {}), **(incoming.model_extra or {}), **extra_details}
    fields["tags"] = fields["tags"] or {}
    fields["labels"] = fields["labels"] or {}
    fields["grouping"] = fields["grouping"] or ()
    return Event(**fields)


def correct_event_time(
    time: datetime, now: datetime, sent_at: datetime | None = None
) -> tuple[datetime, dict[str, str]]:
    """Correct the time of an event by our own clock. Returns it, and details that keep the one sent.

    sent_at: when it was sent, by the sender's clock; how far that clock is off is known then. Otherwise
        only a time that no event can have is replaced, by now: too far ahead, or of a clock that is not set.
    """
    corrected = time
    if sent_at is not None and abs(now - sent_at) > _MAX_DELAY:
        corrected = time + (now - sent_at)
    if corrected > now + _MAX_CLOCK_SKEW or corrected < _FIRST_PLAUSIBLE_TIME:
        corrected = now
    return (corrected, {}) if corrected == time else (corrected, {"sent_time": time.isoformat()})


def build_scoped_id(event_id: str | None, service: str | None, tenant: str | None) -> str | None:
    """Scope a sender's event id to its service and tenant; None without an id.

    The id makes a retry harmless. Two applications that both count from 1 must not hide each other's errors.
    """
    if not event_id:
        return None
    name = ":".join(part for part in (service, tenant, event_id) if part)
    if len(name) <= _MAX_ID_LENGTH:
        return name
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def make_storable(value: Any, depth: int = 0) -> Any:
    """Replace in JSON-like data what no store holds (NUL, surrogates), and shorten texts to MAX_TEXT_LENGTH.

    Raises IntakeError 422 for more than MAX_DEPTH levels, or more than MAX_FIELDS fields in one part.
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value if len(value) <= MAX_TEXT_LENGTH else _truncate_text(value))
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            msg = f"it is nested deeper than {MAX_DEPTH}"
            raise IntakeError(msg, 422)
        if len(value) > MAX_FIELDS:
            msg = f"a part of it has {len(value)} fields, more than {MAX_FIELDS}"
            raise IntakeError(msg, 422)
    if isinstance(value, dict):
        return {make_storable(key): make_storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [make_storable(item, depth + 1) for item in value]
    return value


def _truncate_text(text: str) -> str:
    return f"{text[:MAX_TEXT_LENGTH]}... (cut, it had {len(text)} characters)"


def _format_errors(error: ValidationError) -> str:
    """Name each invalid field with its error, but never its value, which may be a secret."""
    messages = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False)[
        :_MAX_SHOWN_ERRORS
    ]:
        location = ".".join(map(str, detail["loc"]))
        text = detail["msg"].removeprefix("Value error, ")
        messages.append(f"{location}: {text}" if location else text)
    return "; ".join(messages)


def _name_json_type(value: object) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "null")
