"""What Sentry's SDKs send, into events. They differ in their shapes, so whatever is odd is left out."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firstcause import Event, IntakeError, Severity, Source, Taken
from firstcause_sentry.besides import Besides
from firstcause_sentry.crons import Crons
from firstcause_sentry.envelope import document, items

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

_LOGS_THAT_COUNT = {"error", "fatal"}
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_PROJECT = re.compile(r"/api/([^/]+)/")
_LONGEST_NAME = 200
_LONGEST_TAG = 2000
_KEPT = ("release", "environment", "platform", "logger", "server_name", "transaction", "culprit", "dist")
_MOST_FRAMES = 60


@dataclass(frozen=True)
class Reader:
    config: Config
    crons: Crons = field(default_factory=Crons)

    def envelope(self, body: bytes, headers: Mapping[str, str]) -> Taken:
        """Of its items the events, the logs of errors and jobs that failed; the others are counted.

        IntakeError where an error in it cannot be read and there is no other.
        """
        found: list[Event] = []
        besides = Besides()
        broken: IntakeError | None = None
        for item in items(body):
            try:
                events = self._errors(item, headers)
            except IntakeError as error:
                broken = broken or error
                besides.passed[f"{item.type}, unreadable"] += 1
                continue
            found += events
            if not events:
                besides.count(item)
        if broken is not None and not found:
            raise broken
        return Taken(found, besides.passed, besides.lost)

    def _errors(self, item: Item, headers: Mapping[str, str]) -> list[Event]:
        match item.type:
            case "event":
                return [self._event(document(item.payload, "the event"), headers)]
            case "log":
                return list(self._logs(document(item.payload, "the log"), headers))
            case "check_in":
                sent = document(item.payload, "the check-in")
                event = self.crons.event(sent, self._project(headers), datetime.now(UTC))
                return [event] if event is not None else []
        return []

    def store(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """One event, as old SDKs send it."""
        return [self._event(document(body, "the event"), headers)]

    def _event(self, sent: Any, headers: Mapping[str, str]) -> Event:
        if not isinstance(sent, dict):
            msg = "an event is a JSON object"
            raise IntakeError(msg, 422)
        exceptions = _exceptions(sent)
        tags = _tags(sent)
        message = _message(sent, exceptions)
        code = self._code(tags)
        if code is None and message is None:
            msg = "the event has neither an exception nor a message"
            raise IntakeError(msg, 422)
        return Event(
            id=_id(sent.get("event_id")),
            time=_time(sent.get("timestamp")),
            code=code,
            message=message,
            severity=_SEVERITIES.get(str(sent.get("level")).lower()),
            tenant=_first(tags, self.config.tenant),
            service=_first(tags, self.config.service) or self._project(headers),
            details=_details(sent, exceptions),
            source=_source(sent, exceptions),
            stack=_stack(exceptions) or None,
            tags=tags,
        )

    def _logs(self, sent: Any, headers: Mapping[str, str]) -> Iterator[Event]:
        listed = sent.get("items") if isinstance(sent, dict) else None
        for each in _objects(listed):
            if str(each.get("level")).lower() not in _LOGS_THAT_COUNT or not _text(each.get("body")):
                continue
            given = _dict(each.get("attributes"))
            tags = {name: _value(value) for name, value in given.items()}
            yield Event(
                id=_id(None),
                time=_time(each.get("timestamp")),
                code=self._code(tags),
                message=_text(each.get("body")),
                severity=_SEVERITIES.get(str(each.get("level")).lower()),
                tenant=_first(tags, self.config.tenant),
                service=_first(tags, self.config.service) or self._project(headers),
                details=_of_log(tags),
            )

    def _code(self, tags: Mapping[str, str]) -> str | None:
        found = _first(tags, self.config.code)
        return found if found is not None and _CODE.fullmatch(found) else None

    def _project(self, headers: Mapping[str, str]) -> str | None:
        found = _PROJECT.search(headers.get(":path", ""))
        return self.config.projects.get(found[1]) if found else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    """A list may come as such, or under `values`; what is no object in it is left out."""
    listed = value.get("values") if isinstance(value, dict) else value
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _text(value: object) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _value(value: object) -> str:
    """An attribute of a log: {"value": ..., "type": ...}, or the value itself."""
    plain = value.get("value") if isinstance(value, dict) else value
    return str(plain)[:_LONGEST_TAG]


def _exceptions(sent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The innermost cause first, the one that was caught last."""
    return _objects(sent.get("exception"))


def _tags(sent: Mapping[str, Any]) -> dict[str, str]:
    """They come as an object or as pairs."""
    given = sent.get("tags")
    pairs = given.items() if isinstance(given, dict) else given if isinstance(given, list) else ()
    found = {}
    for pair in pairs:
        with suppress(TypeError, ValueError):
            name, value = pair
            if value is not None:
                found[str(name)] = str(value)[:_LONGEST_TAG]
    return found


def _said(exception: Mapping[str, Any]) -> str | None:
    parts = (_text(exception.get("type")), _text(str(exception.get("value") or "")))
    return ": ".join(filter(None, parts)) or None


def _message(sent: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> str | None:
    """The exception's, as it was caught; else the words of the log."""
    if exceptions and (said := _said(exceptions[-1])):
        return said
    for given in (sent.get("logentry"), sent.get("message")):
        if found := _text(given) or _filled(_dict(given)):
            return found
    return None


def _filled(entry: Mapping[str, Any]) -> str | None:
    if found := _text(entry.get("formatted")):
        return found
    template, params = _text(entry.get("message")), entry.get("params")
    if template is not None and params:
        with suppress(TypeError, ValueError, KeyError):
            return template % (tuple(params) if isinstance(params, list) else params)
    return template


def _frames(exception: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The innermost last."""
    return _objects(_dict(exception.get("stacktrace")).get("frames"))


def _source(sent: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> Source | None:
    """The innermost frame of the application's own code, of the exception that was caught."""
    frames = [*_frames(sent), *(frame for each in exceptions[-1:] for frame in _frames(each))]
    own = [frame for frame in frames if frame.get("in_app")]
    for frame in reversed(own or frames):
        line = frame.get("lineno")
        file = _text(frame.get("filename")) or _text(frame.get("abs_path")) or _text(frame.get("module"))
        if file is not None:
            number = line if isinstance(line, int) and not isinstance(line, bool) else None
            return Source(file=file, line=number, function=_text(frame.get("function")))
    return None


def _stack(exceptions: Sequence[Mapping[str, Any]]) -> str:
    """As Python writes it: the cause first."""
    told = []
    for each in exceptions:
        frames = _frames(each)[-_MOST_FRAMES:]
        lines = [line for frame in frames for line in _frame(frame)]
        said = _said(each)
        if lines or said:
            told.append("\n".join([*lines, said or "an exception"]))
    return "\n\nthen:\n\n".join(told)


def _frame(frame: Mapping[str, Any]) -> Iterator[str]:
    # The whole path of a library's file tells that it is one.
    paths = ("filename", "abs_path") if frame.get("in_app") is not False else ("abs_path", "filename")
    file = next(filter(None, (_text(frame.get(name)) for name in (*paths, "module"))), "?")
    yield f'  File "{file}", line {frame.get("lineno") or "?"}, in {frame.get("function") or "?"}'
    if context := _text(frame.get("context_line")):
        yield f"    {context}"


def _details(sent: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {name: sent[name] for name in _KEPT if _text(sent.get(name))}
    if exceptions and (kind := _text(exceptions[-1].get("type"))):
        found["exception"] = kind
    for name in ("extra", "user", "request", "contexts"):
        if given := _dict(sent.get(name)):
            found[name] = given
    if causes := [said for each in exceptions[:-1] if (said := _said(each))]:
        found["caused_by"] = causes
    return found


def _of_log(tags: Mapping[str, str]) -> dict[str, Any]:
    release = tags.get("sentry.release")
    return {"attributes": tags} | ({"release": release} if release else {})


def _id(value: object) -> str:
    plain = _text(value)
    return f"sentry:{plain[:64] if plain else uuid.uuid4().hex}"


def _time(value: object) -> datetime:
    """Seconds since 1970, or ISO 8601; now where it is neither."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return datetime.now(UTC)


def _first(tags: Mapping[str, str], names: Sequence[str]) -> str | None:
    found = next((tags[name].strip() for name in names if tags.get(name, "").strip()), None)
    return found[:_LONGEST_NAME] if found else None
