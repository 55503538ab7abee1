"""No secret that a sender of any format wrote, anywhere in its event, is in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import firstcause_alertmanager
import firstcause_cloudevents
import firstcause_otlp
import firstcause_sentry
from core.privacy.secret_spellings import SPELLINGS
from support.scenario_app import START, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = 9
"""Of the table's rows; `core/privacy` has all of them in all places of an event."""


def write_sentry(text: str) -> bytes:
    item = {
        "level": "error",
        "message": text,
        "exception": {"values": [{"type": "ValueError", "value": text, "stacktrace": {"frames": [
            {"filename": "a.py", "function": "f", "lineno": 3, "context_line": text, "vars": {"note": text}}
        ]}}]},
        "request": {"url": f"https://x.test/?note={text}", "headers": [["X-Note", text]], "data": text},
        "extra": {"note": text}, "tags": {"note": text}, "transaction": text, "user": {"note": text},
        "breadcrumbs": {"values": [{"message": text, "data": {"note": text}}]},
        "contexts": {"a": {"note": text}},
    }  # fmt: skip
    return b"\n".join(json.dumps(line).encode() for line in ({}, {"type": "event"}, item))


def write_otlp(text: str) -> bytes:
    note = {"key": "note", "value": {"stringValue": text}}
    record = {"severityNumber": 17, "body": {"stringValue": text}, "attributes": [
        note, {"key": "exception.message", "value": {"stringValue": text}},
        {"key": "exception.stacktrace", "value": {"stringValue": f"Traceback\n  {text}"}},
    ]}  # fmt: skip
    scope = {"scope": {"name": text}, "logRecords": [record]}
    return json.dumps({"resourceLogs": [{"resource": {"attributes": [note]}, "scopeLogs": [scope]}]}).encode()


def write_alertmanager(text: str) -> bytes:
    labels = {"alertname": "Down", "note": text}
    alert = {"labels": labels, "annotations": {"summary": text, "description": text}, "status": "firing",
             "startsAt": START.isoformat(), "generatorURL": f"https://x.test/?note={text}"}  # fmt: skip
    return json.dumps({"version": "4", "status": "firing", "alerts": [alert]}).encode()


def write_cloudevents(text: str) -> bytes:
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "test.failed", "subject": text,
             "datacontenttype": "application/json", "data": {"message": text, "note": [text]}}  # fmt: skip
    return json.dumps(event).encode()


FORMATS: dict[str, tuple[Any, Callable[[str], bytes], str]] = {
    "sentry": (firstcause_sentry, write_sentry, "application/x-sentry-envelope"),
    "otlp": (firstcause_otlp, write_otlp, "application/json"),
    "alertmanager": (firstcause_alertmanager, write_alertmanager, "application/json"),
    "cloudevents": (firstcause_cloudevents, write_cloudevents, "application/cloudevents+json"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_no_secret_of_a_sender_is_stored(name: str, tmp_path: Path) -> None:
    stage = Stage(f"sqlite:///{tmp_path}/firstcause.db", tmp_path)
    plugin, write, content_type = FORMATS[name]
    intake_format = plugin.firstcause_intake(plugin.Config())[0]
    rows = SPELLINGS[::EVERY]
    events = [
        event.model_copy(update={"id": f"{number} {event.id}"})
        for number, (text, _) in enumerate(rows)
        for event in intake_format.parse(write(text), {"content-type": content_type}).events
    ]
    assert len(events) >= len(rows)
    stage.take(0, *events)
    assert stage.rows("event")
    stored = stage.everything_stored()
    assert sorted({value for _, values in rows for value in values if value in stored}) == []
