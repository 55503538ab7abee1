"""The storm's errors as the requests of other tools, for benchmarks and for tests of what a kill leaves."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from support.storm_generator import generate_events, to_alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

JSON_TYPE = "application/json"
Fields = dict[str, Any]


@dataclass(frozen=True)
class FormatRequest:
    """A request. events: how many errors it reports."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    events: int


def write_native(
    count: int, events: Iterator[Fields], change: Callable[[Fields], Fields] = dict
) -> FormatRequest:
    listed = [change(event) for event in islice(events, count)]
    body = json.dumps(listed, separators=(",", ":")).encode()
    return FormatRequest("/api/v1/events", body, {"content-type": JSON_TYPE}, count)


def write_lines(count: int, events: Iterator[Fields]) -> FormatRequest:
    body = b"\n".join(json.dumps(event).encode() for event in islice(events, count))
    return FormatRequest("/api/v1/events", body, {"content-type": "application/x-ndjson"}, count)


def write_alerts(count: int, events: Iterator[Fields]) -> FormatRequest:
    body = json.dumps([to_alert(event) for event in islice(events, count)]).encode()
    return FormatRequest("/api/v2/alerts", body, {"content-type": JSON_TYPE}, count)


def write_webhook(count: int, events: Iterator[Fields]) -> FormatRequest:
    alerts = [
        {
            **to_alert(event),
            "status": "firing",
            "startsAt": "2026-11-25T10:00:00.123Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus/graph?g0.expr=up",
        }
        for event in islice(events, count)
    ]
    body = json.dumps({"version": "4", "status": "firing", "alerts": alerts}).encode()
    return FormatRequest("/api/v1/webhooks/alertmanager", body, {"content-type": JSON_TYPE}, count)


def build_otlp_export(count: int, events: Iterator[Fields]) -> Fields:
    """As JSON has it."""
    now = int(datetime.now(UTC).timestamp() * 1e9)
    records = [
        {
            "timeUnixNano": str(now + index),
            "severityNumber": 17,
            "severityText": "ERROR",
            "body": {"stringValue": event["message"]},
            "attributes": [
                {"key": "tenant", "value": {"stringValue": event["tenant"]}},
                {"key": "error.code", "value": {"stringValue": event["code"]}},
                {"key": "http.response.status_code", "value": {"intValue": "500"}},
                {"key": "exception.type", "value": {"stringValue": "TimeoutError"}},
                {"key": "exception.message", "value": {"stringValue": event["message"]}},
            ],
        }
        for index, event in enumerate(islice(events, count))
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}
    scope_logs = [{"scope": {"name": "app"}, "logRecords": records}]
    return {"resourceLogs": [{"resource": resource, "scopeLogs": scope_logs}]}


def write_otlp_json(count: int, events: Iterator[Fields]) -> FormatRequest:
    body = json.dumps(build_otlp_export(count, events)).encode()
    return FormatRequest("/v1/logs", body, {"content-type": JSON_TYPE}, count)


def write_otlp_protobuf(count: int, events: Iterator[Fields]) -> FormatRequest:
    """By Google's library; ModuleNotFoundError without it."""
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415 - not everywhere
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: PLC0415
        ExportLogsServiceRequest,
    )

    body = ParseDict(build_otlp_export(count, events), ExportLogsServiceRequest()).SerializeToString()
    return FormatRequest("/v1/logs", body, {"content-type": "application/x-protobuf"}, count)


def write_sentry_envelope(count: int, events: Iterator[Fields], seed: int = 3) -> FormatRequest:
    """An envelope with so many errors of 20 frames each; SDKs send one."""
    rng = random.Random(f"{seed} {next(events)['message']}")
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    parts = [json.dumps({"sent_at": now}).encode()]
    for event in islice(events, count):
        payload = json.dumps(_build_sentry_event(event, f"{rng.getrandbits(128):032x}", now)).encode()
        parts += [json.dumps({"type": "event", "length": len(payload)}).encode(), payload]
    headers = {"content-type": "application/x-sentry-envelope", "content-encoding": "gzip"}
    return FormatRequest("/api/1/envelope/", gzip.compress(b"\n".join(parts), 6), headers, count)


def _build_sentry_event(event: Fields, event_id: str, now: str) -> Fields:
    frames = [
        {
            "filename": f"shop/module_{number}.py",
            "abs_path": f"/srv/app/shop/module_{number}.py",
            "function": f"handle_{number}",
            "module": f"shop.module_{number}",
            "lineno": 10 * number + 3,
            "in_app": number % 3 != 0,
            "pre_context": ["    def f(self):", "        x = 1"],
            "context_line": f"        return self.call_{number}(order)",
            "post_context": ["", "    def g(self):"],
            "vars": {"order": "<Order 17>", "attempt": "3"},
        }
        for number in range(20)
    ]
    error = {"type": "TimeoutError", "value": event["message"], "stacktrace": {"frames": frames}}
    return {
        "event_id": event_id,
        "timestamp": now,
        "platform": "python",
        "level": "error",
        "release": "shop@1.4.2",
        "environment": "production",
        "exception": {"values": [error]},
        "tags": {name: event[name] for name in ("service", "tenant", "code")},
        "contexts": {"runtime": {"name": "CPython", "version": "3.11.7"}},
        "modules": {f"library-{number}": "1.2.3" for number in range(30)},
        "breadcrumbs": {"values": [{"timestamp": now, "message": "SELECT 1"} for _ in range(10)]},
    }


def write_cloudevents(count: int, events: Iterator[Fields]) -> FormatRequest:
    listed = [
        {
            "specversion": "1.0",
            "id": event["message"],
            "source": f"/shop/{event['service']}",
            "type": "com.example.payment.failed",
            "time": "2026-11-25T10:00:00Z",
            "data": {name: event[name] for name in ("message", "code", "tenant")},
        }
        for event in islice(events, count)
    ]
    content_type = "application/cloudevents-batch+json"
    return FormatRequest(
        "/api/v1/webhooks/cloudevents", json.dumps(listed).encode(), {"content-type": content_type}, count
    )


def _nest_details(event: Fields) -> Fields:
    request = {"headers": {"accept": ["a", "b"]}, "retries": [{"n": 1}, {"n": 2}]}
    return {**event, "details": {**event["details"], "request": request}}


NATIVE_VARIANTS: dict[str, Callable[[int, Iterator[Fields]], FormatRequest]] = {
    "one unknown field": lambda count, events: write_native(count, events, lambda e: {**e, "region": "eu-1"}),
    "nested details": lambda count, events: write_native(count, events, _nest_details),
    "a time with nanoseconds": lambda count, events: write_native(
        count, events, lambda e: {**e, "time": "2026-11-25T10:00:00.123456789Z"}
    ),
    "NDJSON": write_lines,
    "a URL with a password": lambda count, events: write_native(
        count, events, lambda e: {**e, "message": f"{e['message']} at postgres://app:hunter22@db/x"}
    ),
}
"""What is sent in our own format beside the plain events of `write_native`."""

OTHER_FORMATS: dict[str, Callable[[int, Iterator[Fields]], FormatRequest]] = {
    "Prometheus' alerts": write_alerts,
    "Alertmanager's webhook": write_webhook,
    "OTLP logs, JSON": write_otlp_json,
    "OTLP logs, protobuf": write_otlp_protobuf,
    "Sentry envelopes, 20 frames, gzip": write_sentry_envelope,
    "CloudEvents": write_cloudevents,
}


def create_events() -> Iterator[Fields]:
    return generate_events(random.Random(1))
