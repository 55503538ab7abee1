"""What Sentry's SDKs send, into events. They differ in their shapes, so whatever is odd is left out."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, IntakeResult, Severity, Source
from firstcause_sentry.crons import CronMonitor
from firstcause_sentry.envelope import iter_items, parse_json
from firstcause_sentry.item_counts import ItemCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause_sentry.config import Config
    from firstcause_sentry.envelope import Item

_SEVERITIES = {
    "fatal": Severity.CRITICAL,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "log": Severity.INFO,
    "info": Severity.INFO,
    "debug": Severity.INFO,
    "trace": Severity.INFO,
}
"""Of an `error`, which is what SDKs call nearly all, the catalog decides."""

_ERROR_LOG_LEVELS = {"error", "fatal"}
_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_PROJECT_PATTERN = re.compile(r"/api/([^/]+)/")
_MAX_NAME_LENGTH = 200
_MAX_TAG_LENGTH = 2000
_DETAIL_FIELDS = (
    "release",
    "environment",
    "platform",
    "logger",
    "server_name",
    "transaction",
    "culprit",
    "dist",
)
_MAX_FRAMES = 60


@dataclass(frozen=True)
class Parser:
    config: Config
    crons: CronMonitor = field(default_factory=CronMonitor)

    def parse_envelope(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Of its items the events, the logs of errors and jobs that failed; the others are counted.

        IntakeError: an error in it cannot be parsed, and it holds no other.
        """
        accepted: list[Event] = []
        counts = ItemCounts()
        first_error: IntakeError | None = None
        for item in iter_items(body):
            try:
                events = self._parse_item(item, headers)
            except IntakeError as error:
                first_error = first_error or error
                counts.ignored[f"{item.type}, unreadable"] += 1
                continue
            accepted += events
            if not events:
                counts.count(item)
        if first_error is not None and not accepted:
            raise first_error
        return IntakeResult(accepted, counts.ignored, counts.dropped_by_sender)

    def _parse_item(self, item: Item, headers: Mapping[str, str]) -> list[Event]:
        match item.type:
            case "event":
                return [self._build_event(parse_json(item.payload, "the event"), headers)]
            case "log":
                return list(self._iter_log_events(parse_json(item.payload, "the log"), headers))
            case "check_in":
                payload = parse_json(item.payload, "the check-in")
                event = self.crons.to_event(payload, self._find_service(headers), datetime.now(UTC))
                return [event] if event is not None else []
        return []

    def parse_store_event(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """One event, as old SDKs send it."""
        return [self._build_event(parse_json(body, "the event"), headers)]

    def _build_event(self, payload: Any, headers: Mapping[str, str]) -> Event:
        if not isinstance(payload, dict):
            msg = "an event is a JSON object"
            raise IntakeError(msg, 422)
        exceptions = _list_exceptions(payload)
        tags = _read_tags(payload)
        message = _select_message(payload, exceptions)
        code = self._find_code(tags)
        if code is None and message is None:
            msg = "the event has neither an exception nor a message"
            raise IntakeError(msg, 422)
        return Event(
            id=_make_event_id(payload.get("event_id")),
            time=_parse_time(payload.get("timestamp")),
            code=code,
            message=message,
            severity=_SEVERITIES.get(str(payload.get("level")).lower()),
            tenant=_select_tag(tags, self.config.tenant),
            service=_select_tag(tags, self.config.service) or self._find_service(headers),
            details=_build_details(payload, exceptions),
            source=_build_source(payload, exceptions),
            stack=_format_stack(exceptions) or None,
            tags=tags,
        )

    def _iter_log_events(self, payload: Any, headers: Mapping[str, str]) -> Iterator[Event]:
        logs = payload.get("items") if isinstance(payload, dict) else None
        for log in _select_objects(logs):
            if str(log.get("level")).lower() not in _ERROR_LOG_LEVELS or not _to_text(log.get("body")):
                continue
            attributes = _as_dict(log.get("attributes"))
            tags = {name: _read_attribute(value) for name, value in attributes.items()}
            yield Event(
                id=_make_event_id(None),
                time=_parse_time(log.get("timestamp")),
                code=self._find_code(tags),
                message=_to_text(log.get("body")),
                severity=_SEVERITIES.get(str(log.get("level")).lower()),
                tenant=_select_tag(tags, self.config.tenant),
                service=_select_tag(tags, self.config.service) or self._find_service(headers),
                details=_build_log_details(tags),
            )

    def _find_code(self, tags: Mapping[str, str]) -> str | None:
        code = _select_tag(tags, self.config.code)
        return code if code is not None and _CODE_PATTERN.fullmatch(code) else None

    def _find_service(self, headers: Mapping[str, str]) -> str | None:
        match = _PROJECT_PATTERN.search(headers.get(":path", ""))
        return self.config.projects.get(match[1]) if match else None


def _as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _select_objects(value: object) -> list[dict[str, Any]]:
    """List the objects of a field, which may be a list or hold one under `values`."""
    entries = value.get("values") if isinstance(value, dict) else value
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _to_text(value: object) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _read_attribute(value: object) -> str:
    """An attribute of a log: {"value": ..., "type": ...}, or the value itself."""
    raw = value.get("value") if isinstance(value, dict) else value
    return str(raw)[:_MAX_TAG_LENGTH]


def _list_exceptions(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The innermost cause first, the one that was caught last."""
    return _select_objects(payload.get("exception"))


def _read_tags(payload: Mapping[str, Any]) -> dict[str, str]:
    """They come as an object or as pairs."""
    raw_tags = payload.get("tags")
    pairs = raw_tags.items() if isinstance(raw_tags, dict) else raw_tags if isinstance(raw_tags, list) else ()
    tags = {}
    for pair in pairs:
        with suppress(TypeError, ValueError):
            name, value = pair
            if value is not None:
                tags[str(name)] = str(value)[:_MAX_TAG_LENGTH]
    return tags


def _format_exception(exception: Mapping[str, Any]) -> str | None:
    parts = (_to_text(exception.get("type")), _to_text(str(exception.get("value") or "")))
    return ": ".join(filter(None, parts)) or None


def _select_message(payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> str | None:
    """The message of the exception that was caught, else that of the log."""
    if exceptions and (exception_text := _format_exception(exceptions[-1])):
        return exception_text
    for candidate in (payload.get("logentry"), payload.get("message")):
        if text := _to_text(candidate) or _fill_template(_as_dict(candidate)):
            return text
    return None


def _fill_template(entry: Mapping[str, Any]) -> str | None:
    if formatted := _to_text(entry.get("formatted")):
        return formatted
    template, params = _to_text(entry.get("message")), entry.get("params")
    if template is not None and params:
        with suppress(TypeError, ValueError, KeyError):
            return template % (tuple(params) if isinstance(params, list) else params)
    return template


def _list_frames(exception: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The innermost last."""
    return _select_objects(_as_dict(exception.get("stacktrace")).get("frames"))


def _build_source(payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> Source | None:
    """The innermost frame of the application's own code, of the exception that was caught."""
    frames = [
        *_list_frames(payload),
        *(frame for exception in exceptions[-1:] for frame in _list_frames(exception)),
    ]
    app_frames = [frame for frame in frames if frame.get("in_app")]
    for frame in reversed(app_frames or frames):
        line = frame.get("lineno")
        file = (
            _to_text(frame.get("filename"))
            or _to_text(frame.get("abs_path"))
            or _to_text(frame.get("module"))
        )
        if file is not None:
            line_number = line if isinstance(line, int) and not isinstance(line, bool) else None
            return Source(file=file, line=line_number, function=_to_text(frame.get("function")))
    return None


def _format_stack(exceptions: Sequence[Mapping[str, Any]]) -> str:
    """As Python writes it: the cause first."""
    sections = []
    for exception in exceptions:
        frames = _list_frames(exception)[-_MAX_FRAMES:]
        lines = [line for frame in frames for line in _format_frame(frame)]
        summary = _format_exception(exception)
        if lines or summary:
            sections.append("\n".join([*lines, summary or "an exception"]))
    return "\n\nthen:\n\n".join(sections)


def _format_frame(frame: Mapping[str, Any]) -> Iterator[str]:
    # The whole path of a file shows whether it is a library's.
    paths = ("filename", "abs_path") if frame.get("in_app") is not False else ("abs_path", "filename")
    file = next(filter(None, (_to_text(frame.get(name)) for name in (*paths, "module"))), "?")
    yield f'  File "{file}", line {frame.get("lineno") or "?"}, in {frame.get("function") or "?"}'
    if context := _to_text(frame.get("context_line")):
        yield f"    {context}"


def _build_details(payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    details: dict[str, Any] = {name: payload[name] for name in _DETAIL_FIELDS if _to_text(payload.get(name))}
    if exceptions and (exception_type := _to_text(exceptions[-1].get("type"))):
        details["exception"] = exception_type
    for name in ("extra", "user", "request", "contexts"):
        if value := _as_dict(payload.get(name)):
            details[name] = value
    if causes := [text for exception in exceptions[:-1] if (text := _format_exception(exception))]:
        details["caused_by"] = causes
    return details


def _build_log_details(tags: Mapping[str, str]) -> dict[str, Any]:
    release = tags.get("sentry.release")
    return {"attributes": tags} | ({"release": release} if release else {})


def _make_event_id(value: object) -> str:
    text = _to_text(value)
    return f"sentry:{text[:64] if text else uuid.uuid4().hex}"


def _parse_time(value: object) -> datetime:
    """Seconds since 1970, or ISO 8601; now where it is neither."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return datetime.now(UTC)


def _select_tag(tags: Mapping[str, str], names: Sequence[str]) -> str | None:
    value = next((tags[name].strip() for name in names if tags.get(name, "").strip()), None)
    return value[:_MAX_NAME_LENGTH] if value else None
