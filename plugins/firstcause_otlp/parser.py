"""Log records into events."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, Severity, Source, parse_items
from firstcause_otlp.decoding import (
    Record,
    decode_attributes,
    decode_body,
    decode_value,
    iter_records,
    read_fields,
    to_text,
)
from firstcause_otlp.exceptions import is_whole_exception, name_exception, read_exception_text
from firstcause_otlp.severities import find_severity_number, name_level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause import IntakeResult
    from firstcause_otlp.config import Config

_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_HEX_ID = re.compile(r"[0-9A-Fa-f]{16}(?:[0-9A-Fa-f]{16})?")
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_MAX_NAME_LENGTH = 200
_MAX_TAG_LENGTH = 2000
_FILE_KEYS, _LINE_KEYS = ("code.file.path", "code.filepath"), ("code.line.number", "code.lineno")
_FUNCTION_KEYS, _QUERY_KEYS = ("code.function.name", "code.function"), ("db.query.text", "db.statement")
_STACK_KEYS = ("exception.stacktrace", "error.stack_trace", "stack_trace", "stacktrace", "stack")
_TEXT_KEYS = ("message", "msg", "log", "error", "err", "event", "text", "body", "reason", "exception")
"""Where a body that is a map has its words."""

_RESOURCE_TAGS = (
    "service.name",
    "service.instance.id",
    "deployment.environment.name",
    "deployment.environment",
    "host.name",
    "k8s.pod.name",
)
"""Attributes of the resource that are kept as tags: which of the many instances it was."""

_ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment")


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Parse the records that are errors; others are counted. IntakeError: it is not an export of logs."""
        now = datetime.now(UTC)
        export = decode_body(body, headers.get("content-type", "").lower())
        return parse_items(iter_records(export), lambda _, record: self._parse_record(record, now))

    def _parse_record(self, record: Record | IntakeError, now: datetime) -> Event | str:
        """Return the event, or the kind of a record that is not an error."""
        if isinstance(record, IntakeError):
            raise record
        attributes = name_exception(
            {**record.resource, **decode_attributes(record.content.get("attributes"))}
        )
        body = decode_value(record.content.get("body"))
        number = find_severity_number(record.content, read_fields(body), attributes)
        if number < self.config.min_severity:
            level = name_level(number)
            return f"severity {level}" if level else "without severity"
        return self._build_event(record, attributes, body, Severity.from_word(name_level(number)), now)

    def _build_event(
        self,
        record: Record,
        attributes: Mapping[str, Any],
        body: object,
        severity: Severity | None,
        now: datetime,
    ) -> Event:
        code = _select_first(attributes, self.config.code)
        body_text = _read_body_text(body)
        exception_text = read_exception_text(attributes)
        if body_text and not is_whole_exception(attributes):
            exception_text = None
        fields = {**read_fields(body), **attributes}
        details = {name: value for name, value in attributes.items() if name not in _STACK_KEYS}
        if body_text and (exception_text or isinstance(body, dict)):
            details["log"] = body if isinstance(body, dict) else body_text
        return Event(
            id=_make_event_id(record.content, attributes),
            time=_parse_time(record.content) or now,
            code=code if code is not None and _CODE_PATTERN.fullmatch(code) else None,
            message=exception_text
            or body_text
            or to_text(record.content.get("eventName"))
            or "a log record without words",
            severity=severity,
            service=_select_first(attributes, self.config.service),
            tenant=_select_first(attributes, self.config.tenant),
            details=details,
            source=_build_source(attributes),
            stack=next((text for key in _STACK_KEYS if (text := to_text(fields.get(key)))), None),
            tags=_build_tags(record),
        )


def _read_body_text(body: object) -> str | None:
    """Read the words of a body. In a map they stand under one of a few names; else the map is the text."""
    if isinstance(body, dict):
        for key in _TEXT_KEYS:
            value = body.get(key)
            nested = value.get("message") if isinstance(value, dict) else value
            if isinstance(nested, str) and nested.strip():
                return nested.strip()
    return to_text(body)


def _parse_time(record: Mapping[str, Any]) -> datetime | None:
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        with suppress(TypeError, ValueError, OverflowError, OSError):
            if nanoseconds := int(record.get(name) or 0):
                return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return None


def _make_event_id(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The same for the same record, so that an exporter may try again."""
    try:
        identity = json.dumps((record, attributes), sort_keys=True, default=repr).encode()
    except (TypeError, ValueError, OverflowError):
        # Halves of surrogate pairs, and integers beyond 64 bits.
        identity = json.dumps([record, attributes], sort_keys=True, default=str).encode("utf-8", "replace")
    return f"otlp:{hashlib.blake2b(identity, digest_size=16).hexdigest()}"


def _build_source(attributes: Mapping[str, Any]) -> Source | None:
    file, function, query = (
        _select_first(attributes, names) for names in (_FILE_KEYS, _FUNCTION_KEYS, _QUERY_KEYS)
    )
    line = next((attributes[name] for name in _LINE_KEYS if isinstance(attributes.get(name), int)), None)
    if file is None and function is None and query is None:
        return None
    return Source(file=file, line=line, function=function, query=query)


def _build_tags(record: Record) -> dict[str, str]:
    ids = (("trace", record.content.get("traceId")), ("span", record.content.get("spanId")))
    tags = {name: _to_hex(value) for name, value in ids if isinstance(value, str) and value}
    named = {name: to_text(record.resource.get(name)) for name in _RESOURCE_TAGS}
    named["environment"] = next((named[name] for name in _ENVIRONMENT_KEYS if named[name]), None)
    return tags | {name: value[:_MAX_TAG_LENGTH] for name, value in named.items() if value}


def _to_hex(trace_id: str) -> str:
    """Write an id as all tools do. What was protobuf, or is JSON by protobuf's own rules, has base64."""
    if _HEX_ID.fullmatch(trace_id):
        return trace_id.lower()
    with suppress(ValueError):
        raw = base64.b64decode(trace_id, validate=True)
        if len(raw) in {_TRACE_ID_BYTES, _SPAN_ID_BYTES}:
            return raw.hex()
    return trace_id


def _select_first(attributes: Mapping[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if value is not None and (text := str(value).strip()):
            return text[:_MAX_NAME_LENGTH]
    return None
