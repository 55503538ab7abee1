"""CloudEvents 1.0 (and 0.3, which differs little), into events."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from firstcause import Event, IntakeError, Severity, code_of, decode_json, parse_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause import IntakeResult
    from firstcause_cloudevents.config import Config

_STRUCTURED_TYPE, _BATCH_TYPE = "application/cloudevents", "application/cloudevents-batch"
_REQUIRED_ATTRIBUTES = ("id", "source", "type", "specversion")
_RESOLVED_VALUES = frozenset({"true", "resolved", "ok"})
_MAX_NAME_LENGTH = 200
_MAX_TAG_LENGTH = 2000


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Parse a request; items that are not CloudEvents are rejected. IntakeError: it cannot be read."""
        now = datetime.now(UTC)
        return parse_items(
            _decode_request(body, headers),
            lambda index, item: self._build_event(index, _decode_structured(item, index), now),
        )

    def _build_event(self, index: int, cloud_event: dict[str, Any], now: datetime) -> Event:
        for name in _REQUIRED_ATTRIBUTES:
            if not _to_text(cloud_event.get(name)):
                msg = f"event {index}: the attribute {name} is missing, which CloudEvents need"
                raise IntakeError(msg, 422)
        data = cloud_event.pop("data", None)
        fields = data if isinstance(data, dict) else {}
        values = {**fields, **cloud_event}
        event_type = str(cloud_event["type"])
        text = _to_text(data) if isinstance(data, str) else None
        state = _select_first(values, self.config.resolved)
        tags = {name: str(value)[:_MAX_TAG_LENGTH] for name, value in cloud_event.items()}
        return Event(
            id=_make_event_id(cloud_event),
            time=_parse_time(cloud_event.get("time")) or now,
            code=code_of(_select_first(values, self.config.code) or event_type),
            message=_select_first(values, self.config.message) or text or event_type,
            severity=self._map_severity(_select_first(values, self.config.severity) or ""),
            service=_truncate_name(_select_first(values, self.config.service)),
            tenant=_truncate_name(_select_first(values, self.config.tenant)),
            details={"data": data} if data is not None else {},
            tags=tags,
            resolved=(state or "").lower() in _RESOLVED_VALUES,
            reports_end=state is not None,
        )

    def _map_severity(self, word: str) -> Severity | None:
        return self.config.severities.get(word.lower()) or Severity.from_word(word)


def _decode_request(body: bytes, headers: Mapping[str, str]) -> list[Any]:
    """List the items, each of which should be an event as JSON: its attributes, and its data under `data`."""
    content_type = headers.get("content-type", "").lower()
    if "ce-specversion" in headers and not content_type.startswith(_STRUCTURED_TYPE):
        return [_decode_binary(body, content_type, headers)]
    value = _parse_json(body, "the body")
    if not isinstance(value, list) and content_type.startswith(_BATCH_TYPE):
        raise IntakeError("a batch is a JSON list of events", 422)
    return value if isinstance(value, list) else [value]


def _decode_binary(body: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Attributes are headers, in which other than plain letters are percent-encoded."""
    cloud_event: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if content_type:
        cloud_event["datacontenttype"] = content_type
    if not body:
        return cloud_event
    if "json" in content_type:
        # The SDK of npm sends a plain text as JSON without its quotes.
        if body.lstrip()[:1] in {b"{", b"["}:
            return cloud_event | {"data": _parse_json(body, "the data")}
        with suppress(IntakeError):
            return cloud_event | {"data": _parse_json(body, "the data")}
    # Without a content type the data may be anything; JSON in a text is found later.
    return cloud_event | {"data": body.decode("utf-8", "replace")}


def _decode_structured(value: object, index: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"event {index}: it is not a JSON object"
        raise IntakeError(msg, 422)
    cloud_event = dict(value)
    encoded = cloud_event.pop("data_base64", None)
    if isinstance(encoded, str):
        with suppress(ValueError):
            cloud_event["data"] = base64.b64decode(encoded).decode("utf-8", "replace")
    data = cloud_event.get("data")
    if isinstance(data, str):
        # Some put JSON into a text.
        with suppress(ValueError, RecursionError):
            parsed = decode_json(data)
            cloud_event["data"] = parsed if isinstance(parsed, dict) else data
    return cloud_event


def _parse_json(body: bytes, description: str) -> Any:
    try:
        return decode_json(body)
    except (ValueError, RecursionError) as error:
        msg = f"{description} is not JSON: {type(error).__name__}"
        raise IntakeError(msg) from None


def _to_text(value: object) -> str | None:
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value.strip() or None if isinstance(value, str) else None


def _select_first(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """What is nested is asked for its `message`."""
    for name in names:
        value = values.get(name)
        nested = value.get("message") if isinstance(value, dict) else value
        if text := _to_text(nested):
            return text
    return None


def _truncate_name(value: str | None) -> str | None:
    return value[:_MAX_NAME_LENGTH] if value else None


def _parse_time(value: object) -> datetime | None:
    with suppress(ValueError):
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return None


def _make_event_id(cloud_event: Mapping[str, Any]) -> str:
    """Source and id together are unique."""
    identity = f"{cloud_event['source']}\n{cloud_event['id']}"
    return f"cloudevents:{hashlib.blake2b(identity.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
