"""What Sentry's SDKs send, into events. They differ in their shapes, so whatever is odd is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

from firstcause import Event, IntakeError, IntakeResult, Severity, parse_items
from firstcause_sentry.crons import STATUSES, build_check_in_event
from firstcause_sentry.envelope import decode_store_body, iter_items, parse_header, parse_json
from firstcause_sentry.fields import (
    as_dict,
    make_event_id,
    parse_time,
    read_attribute,
    read_log_text,
    read_tags,
    rename_legacy_fields,
    select_tag,
    to_text,
)
from firstcause_sentry.fingerprints import read_grouping
from firstcause_sentry.item_counts import ItemCounts
from firstcause_sentry.recent_events import RecentEvents
from firstcause_sentry.stacks import build_source, format_exception, format_stack, list_exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause_sentry.config import Config
    from firstcause_sentry.envelope import Item

_ERROR_LOG_LEVELS = {"error", "fatal"}
_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{1,119}")
_PROJECT_PATTERN = re.compile(r"/api/([^/]+)/")
_CRON_PATTERN = re.compile(r"/api/[^/]+/cron/([^/]+)")
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
_OTHER_EVENT_TYPES = frozenset({"transaction", "generic", "feedback", "nodata"})
"""Types of an `event` that are not errors."""

_BARE_FIELDS = frozenset({"event_id", "timestamp", "sdk", "type"})
"""Fields that say nothing about an error."""


class Request(NamedTuple):
    """What a request says of all its events.

    service: by its project. sent_at: by the sender's clock, to correct the times that this clock gave.
    """

    service: str | None
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Parser:
    config: Config
    recent_events: RecentEvents = field(default_factory=RecentEvents)

    def parse_envelope(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Parse the events, the logs of errors and the failed jobs of its items; the others are counted.

        Items that cannot be read are rejected. IntakeError: the envelope has no header.
        """
        counts = ItemCounts()
        request = Request(self._find_service(headers), parse_time(parse_header(body).get("sent_at")))

        def parse_item(_index: int, item: Item | IntakeError) -> Sequence[Event]:
            if isinstance(item, IntakeError):
                raise item
            return self._parse_item(item, request, counts)

        result = parse_items(iter_items(body), parse_item)
        return replace(result, ignored=counts.ignored, dropped_by_sender=counts.dropped_by_sender)

    def _parse_item(self, item: Item, request: Request, counts: ItemCounts) -> Sequence[Event]:
        match item.type:
            case "event":
                payload = parse_json(item.payload, "the event")
                event_type = payload.get("type") if isinstance(payload, dict) else None
                if event_type in _OTHER_EVENT_TYPES:
                    counts.ignored[str(event_type)] += 1
                    return ()
                return [self._build_event(payload, request)]
            case "log":
                return self._list_log_events(parse_json(item.payload, "the log"), request, counts)
            case "check_in":
                payload = parse_json(item.payload, "the check-in")
                event = build_check_in_event(payload, request.service, datetime.now(UTC))
                if event is not None:
                    return [event]
        counts.count(item)
        return ()

    def parse_store_event(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Parse one event, as old SDKs send it."""
        payload = parse_json(decode_store_body(body), "the event")
        event_type = payload.get("type") if isinstance(payload, dict) else None
        if event_type in _OTHER_EVENT_TYPES:
            return IntakeResult(ignored={str(event_type): 1})
        return IntakeResult([self._build_event(payload, Request(self._find_service(headers)))])

    def parse_cron(self, body: bytes, headers: Mapping[str, str]) -> IntakeResult:
        """Parse a check-in whose job stands in the path, and its status in the query or a JSON body."""
        match = _CRON_PATTERN.search(headers.get(":path", ""))
        query = {name: values[0] for name, values in parse_qs(headers.get(":query", "")).items()}
        sent = as_dict(parse_json(body, "the check-in")) if body.strip() else {}
        payload = {**sent, **query, "monitor_slug": unquote(match[1]) if match else None}
        if payload.get("status") not in STATUSES:
            msg = f"a check-in has a status: {', '.join(sorted(STATUSES))}"
            raise IntakeError(msg, 422)
        event = build_check_in_event(payload, self._find_service(headers), datetime.now(UTC))
        return IntakeResult([event]) if event is not None else IntakeResult(ignored={"check_in": 1})

    def _build_event(self, payload: Any, request: Request) -> Event:
        if not isinstance(payload, dict):
            msg = "an event is a JSON object"
            raise IntakeError(msg, 422)
        if not payload.keys() - _BARE_FIELDS:
            msg = "the event is empty: neither an exception nor a message"
            raise IntakeError(msg, 422)
        payload = rename_legacy_fields(payload)
        exceptions, tags = list_exceptions(payload), read_tags(payload)
        log_text, time = read_log_text(payload), parse_time(payload.get("timestamp"))
        message = next(filter(None, map(format_exception, exceptions[-1:])), log_text)
        trace = as_dict(as_dict(payload.get("contexts")).get("trace"))
        self.recent_events.add(to_text(trace.get("trace_id")), log_text)
        return Event(
            id=make_event_id(payload.get("event_id")),
            time=time or datetime.now(UTC),
            sent_at=request.sent_at if time is not None else None,
            code=self._find_code(tags),
            message=message or _describe_event(payload),
            severity=Severity.from_word(payload.get("level")),
            tenant=select_tag(tags, self.config.tenant),
            service=select_tag(tags, self.config.service) or request.service,
            details=_build_details(payload, exceptions, log_text),
            source=build_source(payload, exceptions),
            stack=format_stack(payload, exceptions),
            tags=tags,
            grouping=read_grouping(payload, exceptions, tags, message),
        )

    def _list_log_events(self, payload: Any, request: Request, counts: ItemCounts) -> Sequence[Event]:
        logs = as_dict(payload).get("items")
        events = []
        for log in logs if isinstance(logs, list) else ():
            text = to_text(as_dict(log).get("body"))
            level = str(as_dict(log).get("level")).lower()
            if text is not None and self.recent_events.take(to_text(log.get("trace_id")), text):
                counts.ignored["log of an event"] += 1
                continue
            if text is None or level not in _ERROR_LOG_LEVELS:
                counts.count_log(level, readable=text is not None)
                continue
            tags = {name: read_attribute(value) for name, value in as_dict(log.get("attributes")).items()}
            release, time = tags.get("sentry.release"), parse_time(log.get("timestamp"))
            event = Event(
                id=make_event_id(None),
                time=time or datetime.now(UTC),
                sent_at=request.sent_at if time is not None else None,
                code=self._find_code(tags),
                message=text,
                severity=Severity.from_word(level),
                tenant=select_tag(tags, self.config.tenant),
                service=select_tag(tags, self.config.service) or request.service,
                details={"attributes": tags} | ({"release": release} if release else {}),
            )
            events.append(event)
        return events

    def _find_code(self, tags: Mapping[str, str]) -> str | None:
        code = select_tag(tags, self.config.code)
        return code if code is not None and _CODE_PATTERN.fullmatch(code) else None

    def _find_service(self, headers: Mapping[str, str]) -> str | None:
        match = _PROJECT_PATTERN.search(headers.get(":path", ""))
        return self.config.projects.get(match[1]) if match else None


def _describe_event(payload: Mapping[str, Any]) -> str:
    """Describe an event that has neither an exception nor a message."""
    places = (to_text(payload.get(name)) for name in ("transaction", "culprit", "logger"))
    place = next(filter(None, places), None)
    return f"an error without a message in {place}" if place else "an error without a message"


def _build_details(
    payload: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], log_text: str | None
) -> dict[str, Any]:
    details: dict[str, Any] = {name: payload[name] for name in _DETAIL_FIELDS if to_text(payload.get(name))}
    if exceptions and (exception_type := to_text(exceptions[-1].get("type"))):
        details["exception"] = exception_type
    if exceptions and log_text and log_text != format_exception(exceptions[-1]):
        details["log"] = log_text
    for name in ("extra", "user", "request", "contexts"):
        if value := as_dict(payload.get(name)):
            details[name] = value
    if causes := [text for exception in exceptions[:-1] if (text := format_exception(exception))]:
        details["caused_by"] = causes
    return details
