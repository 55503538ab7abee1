"""Log records, as JSON or protobuf, into events."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, Severity, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause_otlp.config import Config

_FATAL, _ERROR, _WARN = 21, 17, 13
_NUMBERS_BY_NAME = {"FATAL": _FATAL, "CRITICAL": _FATAL, "ERROR": _ERROR, "WARN": _WARN, "WARNING": _WARN}
_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_MAX_NAME_LENGTH = 200
_MAX_DEPTH = 20
_FILE_KEYS, _LINE_KEYS = ("code.file.path", "code.filepath"), ("code.line.number", "code.lineno")
_FUNCTION_KEYS, _QUERY_KEYS = ("code.function.name", "code.function"), ("db.query.text", "db.statement")


@dataclass(frozen=True)
class Parser:
    config: Config

    def parse(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """Parse the records that are errors; others count as ignored. IntakeError: not an export of logs."""
        now = datetime.now(UTC)
        export = _decode_body(body, headers.get("content-type", "").lower())
        return [
            self._build_event(record, {**resource, **attributes}, now)
            for resource, record in _iter_records(export)
            for attributes in [_decode_attributes(record.get("attributes"))]
            if _parse_severity_number(record) >= self.config.min_severity
        ]

    def _build_event(self, record: Mapping[str, Any], attributes: Mapping[str, Any], now: datetime) -> Event:
        code = _select_first(attributes, self.config.code)
        exception_type, exception_message = (
            _to_text(attributes.get(f"exception.{name}")) for name in ("type", "message")
        )
        body = _to_text(_decode_value(record.get("body")))
        exception_text = ": ".join(filter(None, (exception_type, exception_message))) or None
        details = {name: value for name, value in attributes.items() if name != "exception.stacktrace"}
        if body and exception_text:
            details["log"] = body
        return Event(
            id=_make_event_id(record, attributes),
            time=_parse_time(record) or now,
            code=code if code is not None and _CODE_PATTERN.fullmatch(code) else None,
            message=exception_text
            or body
            or _to_text(record.get("eventName"))
            or "a log record without words",
            severity=_map_severity(_parse_severity_number(record)),
            service=_select_first(attributes, self.config.service),
            tenant=_select_first(attributes, self.config.tenant),
            details=details,
            source=_build_source(attributes),
            stack=_to_text(attributes.get("exception.stacktrace")),
            tags=_build_trace_tags(record),
        )


def _decode_body(body: bytes, content_type: str) -> Any:
    if "protobuf" in content_type:
        return _decode_protobuf(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = f"the body is not JSON: {type(error).__name__}; protobuf has the type application/x-protobuf"
        raise IntakeError(msg) from None


def _decode_protobuf(body: bytes) -> Any:
    try:
        from google.protobuf.json_format import MessageToDict  # noqa: PLC0415
        from google.protobuf.message import DecodeError  # noqa: PLC0415
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: PLC0415
            ExportLogsServiceRequest,
        )
    except ModuleNotFoundError:
        msg = 'protobuf needs pip install "firstcause[otlp]"; or let the exporter send JSON'
        raise IntakeError(msg, 415) from None
    try:
        return MessageToDict(ExportLogsServiceRequest.FromString(body))
    except (DecodeError, ValueError, RecursionError) as error:
        msg = f"the body is not a protobuf export of logs: {type(error).__name__}"
        raise IntakeError(msg) from None


def _iter_records(export: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The attributes of the resource, and the record."""
    resource_logs = export.get("resourceLogs") if isinstance(export, dict) else None
    if not isinstance(resource_logs, list) and export != {}:
        msg = "the body has no resourceLogs; send what an OTLP exporter of logs sends"
        raise IntakeError(msg, 422)
    for group in _select_objects(resource_logs):
        resource = group.get("resource")
        attributes = _decode_attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
        for scope in _select_objects(group.get("scopeLogs")):
            for record in _select_objects(scope.get("logRecords")):
                yield attributes, record


def _select_objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _decode_attributes(value: object, depth: int = 0) -> dict[str, Any]:
    return {str(item.get("key")): _decode_value(item.get("value"), depth) for item in _select_objects(value)}


def _decode_value(value: object, depth: int = 0) -> Any:
    """What an AnyValue holds."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return None
    for kind, content in value.items():
        if kind == "arrayValue":
            items = content.get("values") if isinstance(content, dict) else None
            return [_decode_value(item, depth + 1) for item in _select_objects(items)]
        if kind == "kvlistValue":
            return _decode_attributes(content.get("values") if isinstance(content, dict) else None, depth + 1)
        if kind == "intValue":
            # 64 bits are a text in JSON.
            with suppress(TypeError, ValueError):
                return int(content)
        return content
    return None


def _to_text(value: object) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse_severity_number(record: Mapping[str, Any]) -> int:
    """By the number, as such or as the name that JSON gives it, else by the text."""
    raw = record.get("severityNumber")
    if isinstance(raw, int) and raw:
        return raw
    name = str(raw or record.get("severityText") or "").upper().removeprefix("SEVERITY_NUMBER_")
    base_name = name.rstrip("234")
    step = int(name[len(base_name) :] or 1) - 1 if len(name) - len(base_name) <= 1 else 0
    return _NUMBERS_BY_NAME[base_name] + step if base_name in _NUMBERS_BY_NAME else 0


def _map_severity(number: int) -> Severity | None:
    """Of an ERROR the catalog decides."""
    if number >= _FATAL:
        return Severity.CRITICAL
    return None if number >= _ERROR else Severity.WARNING if number >= _WARN else Severity.INFO


def _parse_time(record: Mapping[str, Any]) -> datetime | None:
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        with suppress(TypeError, ValueError, OverflowError, OSError):
            if nanoseconds := int(record.get(name) or 0):
                return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return None


def _make_event_id(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The same for the same record, so that an exporter may try again."""
    identity = json.dumps([record, attributes], sort_keys=True, default=str)
    return f"otlp:{hashlib.blake2b(identity.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _build_source(attributes: Mapping[str, Any]) -> Source | None:
    file, function, query = (
        _select_first(attributes, names) for names in (_FILE_KEYS, _FUNCTION_KEYS, _QUERY_KEYS)
    )
    line = next((attributes[name] for name in _LINE_KEYS if isinstance(attributes.get(name), int)), None)
    if file is None and function is None and query is None:
        return None
    return Source(file=file, line=line, function=function, query=query)


def _build_trace_tags(record: Mapping[str, Any]) -> dict[str, str]:
    ids = (("trace", record.get("traceId")), ("span", record.get("spanId")))
    return {name: value for name, value in ids if isinstance(value, str) and value}


def _select_first(attributes: Mapping[str, Any], names: Sequence[str]) -> str | None:
    value = next((attributes[name] for name in names if _to_text(attributes.get(name))), None)
    return None if value is None else str(value).strip()[:_MAX_NAME_LENGTH]
