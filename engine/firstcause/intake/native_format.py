"""firstcause's own format: one event, a list of them, or NDJSON."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from firstcause.core.model import Event, MaybeName, Severity, Source, Time
from firstcause.errors import IntakeError

if TYPE_CHECKING:
    from collections.abc import Callable

_AHEAD = timedelta(minutes=5)
"""A sender's clock may be so much ahead of ours; what is later did not happen yet and is given our time."""

MOST = 100_000
"""Events in one request."""

DEEPEST, WIDEST, LONGEST_TEXT = 64, 10_000, 262_144
"""How deep an event may be nested, how many fields one part of it may have, and characters one text."""

_LONGEST_ID = 200
# Postgres stores neither in JSON: NUL, and halves of characters that JSON's \ud800 brings in.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SHOWN_ERRORS = 3


@dataclass(frozen=True)
class Rejected:
    """An event that was not taken. index: its place in the request, from 0. status: the HTTP status."""

    index: int
    error: str
    status: int = 422


@dataclass(frozen=True)
class Parsed:
    """The events of one request, in their order, and what of it was no event."""

    events: list[Event] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def _instant(value: object) -> object:
    """ISO 8601, or seconds since 1970; without a time zone it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


class _Sent(BaseModel):
    """An event as it is sent. What it has besides goes under details."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str | None, BeforeValidator(_text)] = None
    time: Annotated[Time | None, BeforeValidator(_instant)] = None
    code: MaybeName = None
    message: str | None = None
    severity: Severity | None = None
    tenant: MaybeName = None
    service: MaybeName = None
    details: dict[str, Any] | None = None
    source: Source | None = None
    stack: str | None = None
    tags: dict[str, Annotated[str, BeforeValidator(_text)]] | None = None
    resolved: bool = False

    @model_validator(mode="after")
    def _says_what(self) -> _Sent:
        if self.code is None and not (self.message or "").strip():
            msg = "give a code or a message; without both nobody can tell which error it is"
            raise ValueError(msg)
        return self


def parse(
    body: bytes,
    content_type: str,
    *,
    now: datetime,
    new_id: Callable[[], str],
    max_event_bytes: int,
) -> Parsed:
    """The events of a request body.

    content_type: anything with "ndjson" or "jsonl" in it is read line by line, and so is whatever is JSON
    only line by line. An event that is wrong is rejected and the others are taken. IntakeError 400 where
    nothing of it can be read. max_event_bytes: what one event may have, as JSON.
    """
    parsed = Parsed()
    limit = max_event_bytes if len(body) > max_event_bytes else None
    values = _values(body, content_type)
    if len(values) > MOST:
        msg = f"the request has {len(values)} events, more than {MOST}; send it in parts"
        raise IntakeError(msg, 413)
    for index, value in enumerate(values):
        try:
            parsed.events.append(_event(value, now, new_id, limit))
        except IntakeError as error:
            parsed.rejected.append(Rejected(index, str(error), error.status))
    return parsed


def _values(body: bytes, content_type: str) -> list[Any]:
    """What the body holds; ValueError in place of a line that is no JSON."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"the body is not UTF-8: byte {error.start} is wrong"
        raise IntakeError(msg) from None
    if not text.strip():
        msg = "the body is empty; send an event as JSON"
        raise IntakeError(msg)
    if not ("ndjson" in content_type or "jsonl" in content_type):
        try:
            value = _json(text)
        except ValueError as error:
            if "Extra data" not in str(error):
                msg = f"the body is no JSON: {error}"
                raise IntakeError(msg) from None
        else:
            return value if isinstance(value, list) else [value]
    return [_line(line) for line in text.splitlines() if line.strip()]


def _line(line: str) -> Any:
    try:
        return _json(line)
    except ValueError as error:
        return ValueError(f"the line is no JSON: {error}")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None


def size(value: object) -> int:
    """Bytes as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _event(value: object, now: datetime, new_id: Callable[[], str], limit: int | None) -> Event:
    if isinstance(value, ValueError):
        raise IntakeError(str(value))
    if limit is not None and size(value) > limit:
        msg = f"the event is over {limit} bytes"
        raise IntakeError(msg, 413)
    if not isinstance(value, dict):
        msg = f"an event is a JSON object, not {_kind(value)}"
        raise IntakeError(msg, 422)
    try:
        sent = _Sent.model_validate(storable(value))
    except ValidationError as error:
        raise IntakeError(_mistakes(error), 422) from None
    except (OverflowError, RecursionError):
        msg = "time: out of range, or the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    details = {**(sent.details or {}), **(sent.model_extra or {})}
    time, apart = happened(sent.time or now, now)
    details |= apart
    return Event(
        id=scoped_id(sent.id, sent.service, sent.tenant) or new_id(),
        time=time,
        code=sent.code,
        message=sent.message,
        severity=sent.severity,
        tenant=sent.tenant,
        service=sent.service,
        details=details,
        source=sent.source,
        stack=sent.stack,
        tags=sent.tags or {},
        resolved=sent.resolved,
    )


def happened(time: datetime, now: datetime) -> tuple[datetime, dict[str, str]]:
    """When an event happened, and the details to add: what is yet to come by its sender's clock is now."""
    return (now, {"sent_time": time.isoformat()}) if time > now + _AHEAD else (time, {})


def scoped_id(given: str | None, service: str | None, tenant: str | None) -> str | None:
    """What makes a retry harmless; two applications that count from 1 must not hide each other's errors."""
    if not given:
        return None
    name = ":".join(part for part in (service, tenant, given) if part)
    if len(name) <= _LONGEST_ID:
        return name
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def storable(value: Any, depth: int = 0) -> Any:
    """The value without what no store holds: NUL, and halves of characters; texts not over LONGEST_TEXT.

    IntakeError 422 where it is nested deeper than DEEPEST, or one part of it has more than WIDEST fields.
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value if len(value) <= LONGEST_TEXT else _cut(value))
    if isinstance(value, dict | list):
        if depth >= DEEPEST:
            msg = f"it is nested deeper than {DEEPEST}"
            raise IntakeError(msg, 422)
        if len(value) > WIDEST:
            msg = f"a part of it has {len(value)} fields, more than {WIDEST}"
            raise IntakeError(msg, 422)
    if isinstance(value, dict):
        return {storable(key): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item, depth + 1) for item in value]
    return value


def _cut(text: str) -> str:
    return f"{text[:LONGEST_TEXT]}... (cut, it had {len(text)} characters)"


def _mistakes(error: ValidationError) -> str:
    """Each wrong field by its name; never what stood in it, which may be a secret."""
    found = []
    for each in error.errors(include_url=False, include_input=False, include_context=False)[:_SHOWN_ERRORS]:
        place = ".".join(map(str, each["loc"]))
        text = each["msg"].removeprefix("Value error, ")
        found.append(f"{place}: {text}" if place else text)
    return "; ".join(found)


def _kind(value: object) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "null")
