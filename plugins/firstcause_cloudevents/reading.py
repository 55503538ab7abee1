"""CloudEvents 1.0 (and 0.3, which differs little), into events."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from firstcause import Event, IntakeError, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause_cloudevents.config import Config

_STRUCTURED, _BATCH = "application/cloudevents", "application/cloudevents-batch"
_NEEDED = ("id", "source", "type", "specversion")
_OVER = frozenset({"true", "resolved", "ok"})
_LONGEST_NAME = 200
_LONGEST_TAG = 2000


@dataclass(frozen=True)
class Reader:
    config: Config

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """IntakeError where the request is no CloudEvent, or one of a batch is none."""
        now = datetime.now(UTC)
        return [self._event(index, sent, now) for index, sent in enumerate(_sent(body, headers))]

    def _event(self, index: int, sent: dict[str, Any], now: datetime) -> Event:
        for name in _NEEDED:
            if not _text(sent.get(name)):
                msg = f"event {index}: the attribute {name} is missing, which CloudEvents need"
                raise IntakeError(msg, 422)
        data = sent.pop("data", None)
        fields = data if isinstance(data, dict) else {}
        known = {**fields, **sent}
        kind = str(sent["type"])
        plain = _text(data) if isinstance(data, str) else None
        attributes = {name: str(value)[:_LONGEST_TAG] for name, value in sent.items()}
        return Event(
            id=_id(sent),
            time=_time(sent.get("time")) or now,
            code=code_of(_first(known, self.config.code) or kind),
            message=_first(known, self.config.message) or plain or kind,
            severity=self.config.severities.get((_first(known, self.config.severity) or "").lower()),
            service=_name(_first(known, self.config.service)),
            tenant=_name(_first(known, self.config.tenant)),
            details={"data": data} if data is not None else {},
            tags=attributes,
            resolved=(_first(known, self.config.resolved) or "").lower() in _OVER,
        )


def _sent(body: bytes, headers: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each event's attributes, and its data under `data`."""
    content_type = headers.get("content-type", "").lower()
    if "ce-specversion" in headers and not content_type.startswith(_STRUCTURED):
        yield _binary(body, content_type, headers)
        return
    value = _json(body, "the body")
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield _structured(each, index)
    elif content_type.startswith(_BATCH):
        raise IntakeError("a batch is a JSON list of events", 422)
    else:
        yield _structured(value, 0)


def _binary(body: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Attributes are headers, in which other than plain letters are percent-encoded."""
    found: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if content_type:
        found["datacontenttype"] = content_type
    if not body:
        return found
    if "json" in content_type or not content_type:
        return found | {"data": _json(body, "the data")}
    return found | {"data": body.decode("utf-8", "replace")}


def _structured(value: object, index: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"event {index}: it is no JSON object"
        raise IntakeError(msg, 422)
    found = dict(value)
    packed = found.pop("data_base64", None)
    if isinstance(packed, str):
        with suppress(ValueError):
            found["data"] = base64.b64decode(packed).decode("utf-8", "replace")
    data = found.get("data")
    if isinstance(data, str):
        # Some put JSON into a text.
        with suppress(ValueError, RecursionError):
            parsed = json.loads(data)
            found["data"] = parsed if isinstance(parsed, dict) else data
    return found


def _json(body: bytes, what: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = f"{what} is no JSON: {type(error).__name__}"
        raise IntakeError(msg) from None


def _text(value: object) -> str | None:
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value.strip() or None if isinstance(value, str) else None


def _first(known: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """What is nested is asked for its `message`."""
    for name in names:
        value = known.get(name)
        nested = value.get("message") if isinstance(value, dict) else value
        if found := _text(nested):
            return found
    return None


def _name(value: str | None) -> str | None:
    return value[:_LONGEST_NAME] if value else None


def _time(value: object) -> datetime | None:
    with suppress(ValueError):
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def _id(sent: Mapping[str, Any]) -> str:
    """Source and id together are unique."""
    told = f"{sent['source']}\n{sent['id']}"
    return f"cloudevents:{hashlib.blake2b(told.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
