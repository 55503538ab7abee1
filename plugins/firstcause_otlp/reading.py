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
_NAMES = {"FATAL": _FATAL, "CRITICAL": _FATAL, "ERROR": _ERROR, "WARN": _WARN, "WARNING": _WARN}
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_LONGEST_NAME = 200
_DEEPEST = 20
_FILE, _LINE = ("code.file.path", "code.filepath"), ("code.line.number", "code.lineno")
_FUNCTION, _QUERY = ("code.function.name", "code.function"), ("db.query.text", "db.statement")


@dataclass(frozen=True)
class Reader:
    config: Config

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """The records that are errors; the others are let go. IntakeError where it is no export of logs."""
        now = datetime.now(UTC)
        sent = _decoded(body, headers.get("content-type", "").lower())
        return [
            self._event(record, {**resource, **own}, now)
            for resource, record in _records(sent)
            for own in [_attributes(record.get("attributes"))]
            if _number(record) >= self.config.least
        ]

    def _event(self, record: Mapping[str, Any], known: Mapping[str, Any], now: datetime) -> Event:
        code = _first(known, self.config.code)
        kind, words = (_text(known.get(f"exception.{name}")) for name in ("type", "message"))
        body = _text(_value(record.get("body")))
        said = ": ".join(filter(None, (kind, words))) or None
        details = {name: value for name, value in known.items() if name != "exception.stacktrace"}
        if body and said:
            details["log"] = body
        return Event(
            id=_id(record, known),
            time=_time(record) or now,
            code=code if code is not None and _CODE.fullmatch(code) else None,
            message=said or body or _text(record.get("eventName")) or "a log record without words",
            severity=_severity(_number(record)),
            service=_first(known, self.config.service),
            tenant=_first(known, self.config.tenant),
            details=details,
            source=_source(known),
            stack=_text(known.get("exception.stacktrace")),
            tags=_trace(record),
        )


def _decoded(body: bytes, content_type: str) -> Any:
    if "protobuf" in content_type:
        return _of_protobuf(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = f"the body is no JSON: {type(error).__name__}; protobuf has the type application/x-protobuf"
        raise IntakeError(msg) from None


def _of_protobuf(body: bytes) -> Any:
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
        msg = f"the body is no protobuf of logs: {type(error).__name__}"
        raise IntakeError(msg) from None


def _records(sent: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The attributes of the resource, and the record."""
    listed = sent.get("resourceLogs") if isinstance(sent, dict) else None
    if not isinstance(listed, list) and sent != {}:
        msg = "there are no resourceLogs in it; send what an OTLP exporter of logs sends"
        raise IntakeError(msg, 422)
    for group in _objects(listed):
        resource = group.get("resource")
        known = _attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
        for scope in _objects(group.get("scopeLogs")):
            for record in _objects(scope.get("logRecords")):
                yield known, record


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _attributes(value: object, depth: int = 0) -> dict[str, Any]:
    return {str(each.get("key")): _value(each.get("value"), depth) for each in _objects(value)}


def _value(value: object, depth: int = 0) -> Any:
    """What an AnyValue holds."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for kind, held in value.items():
        if kind == "arrayValue":
            listed = held.get("values") if isinstance(held, dict) else None
            return [_value(each, depth + 1) for each in _objects(listed)]
        if kind == "kvlistValue":
            return _attributes(held.get("values") if isinstance(held, dict) else None, depth + 1)
        if kind == "intValue":
            # 64 bits are a text in JSON.
            with suppress(TypeError, ValueError):
                return int(held)
        return held
    return None


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(record: Mapping[str, Any]) -> int:
    """By the number, as such or as the name that JSON gives it, else by the text."""
    given = record.get("severityNumber")
    if isinstance(given, int) and given:
        return given
    named = str(given or record.get("severityText") or "").upper().removeprefix("SEVERITY_NUMBER_")
    bare = named.rstrip("234")
    step = int(named[len(bare) :] or 1) - 1 if len(named) - len(bare) <= 1 else 0
    return _NAMES[bare] + step if bare in _NAMES else 0


def _severity(number: int) -> Severity | None:
    """Of an ERROR the catalog decides."""
    if number >= _FATAL:
        return Severity.CRITICAL
    return None if number >= _ERROR else Severity.WARNING if number >= _WARN else Severity.INFO


def _time(record: Mapping[str, Any]) -> datetime | None:
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        with suppress(TypeError, ValueError, OverflowError, OSError):
            if nanoseconds := int(record.get(name) or 0):
                return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return None


def _id(record: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """The same for the same record, so that an exporter may try again."""
    told = json.dumps([record, known], sort_keys=True, default=str)
    return f"otlp:{hashlib.blake2b(told.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _source(known: Mapping[str, Any]) -> Source | None:
    file, function, query = (_first(known, names) for names in (_FILE, _FUNCTION, _QUERY))
    line = next((known[name] for name in _LINE if isinstance(known.get(name), int)), None)
    if file is None and function is None and query is None:
        return None
    return Source(file=file, line=line, function=function, query=query)


def _trace(record: Mapping[str, Any]) -> dict[str, str]:
    given = (("trace", record.get("traceId")), ("span", record.get("spanId")))
    return {name: value for name, value in given if isinstance(value, str) and value}


def _first(known: Mapping[str, Any], names: Sequence[str]) -> str | None:
    found = next((known[name] for name in names if _text(known.get(name))), None)
    return None if found is None else str(found).strip()[:_LONGEST_NAME]
