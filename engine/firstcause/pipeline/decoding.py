"""Decodes the payloads of the inbox into events, and replaces each unreadable event by its problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.core.model import Event
from firstcause.intake import fast_path
from firstcause.store import inbox

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.store.inbox import PendingPayload


class DecodedEvent(NamedTuple):
    """An event to process.

    event: None if the stored event cannot be read.
    received_at: when it arrived, by our own clock.
    problem: why it cannot be read, None if it can.
    raw: the stored event as far as it is JSON, None if it was read.
    """

    event_id: str
    event: Event | None
    received_at: datetime
    problem: str | None = None
    raw: Any = None


def decode(pending: PendingPayload) -> list[DecodedEvent]:
    """Decode the events of a payload that are to be processed now."""
    payload = pending.payload
    try:
        if payload.verbatim:
            events = fast_path.decode_events(payload.body, payload.key, pending.received_at)
        else:
            events = inbox.event_list_adapter.validate_json(payload.body)
    except ValueError as error:
        decoded = _decode_separately(pending, error)
    else:
        decoded = [DecodedEvent(event.id, event, pending.received_at) for event in events]
    # Intake accepted this many events, so each of them gets a record, readable or not.
    missing = (_build_missing_event(pending, index) for index in range(len(decoded), payload.event_count))
    return [*decoded, *missing][: payload.event_count][
        pending.processed : pending.processed + pending.to_process
    ]


def _decode_separately(pending: PendingPayload, error: ValueError) -> list[DecodedEvent]:
    try:
        parsed = json.loads(pending.payload.body)
    except (ValueError, RecursionError):
        return []
    if pending.payload.verbatim or not isinstance(parsed, list):
        event_id = _build_event_id(pending, 0)
        return [DecodedEvent(event_id, None, pending.received_at, str(error), parsed)]
    return [_decode_one(pending, index, value) for index, value in enumerate(parsed)]


def _decode_one(pending: PendingPayload, index: int, value: Any) -> DecodedEvent:
    try:
        event = Event.model_validate(value)
    except ValueError as error:
        event_id = _build_event_id(pending, index)
        return DecodedEvent(event_id, None, pending.received_at, str(error), value)
    return DecodedEvent(event.id, event, pending.received_at)


def _build_missing_event(pending: PendingPayload, index: int) -> DecodedEvent:
    problem = "the payload that contains the event cannot be read"
    return DecodedEvent(_build_event_id(pending, index), None, pending.received_at, problem)


def _build_event_id(pending: PendingPayload, index: int) -> str:
    return f"{pending.payload.key}-{index}"
