"""Decodes the payloads of the inbox into events, and replaces each unreadable event by its problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.core.model import Event
from firstcause.intake import fast_path
from firstcause.store import inbox

if TYPE_CHECKING:
    from firstcause.store.inbox import PendingPayload


class DecodedEvent(NamedTuple):
    """An event to process.

    event: None if the stored event cannot be read.
    problem: why it cannot be read, None if it can.
    raw: the stored event as far as it is JSON, None if it was read.
    """

    event_id: str
    event: Event | None
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
        decoded = [DecodedEvent(event.id, event) for event in events]
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
        return [DecodedEvent(event_id, None, str(error), parsed)]
    return [_decode_one(value, _build_event_id(pending, index)) for index, value in enumerate(parsed)]


def _decode_one(value: Any, event_id: str) -> DecodedEvent:
    try:
        event = Event.model_validate(value)
    except ValueError as error:
        return DecodedEvent(event_id, None, str(error), value)
    return DecodedEvent(event.id, event)


def _build_missing_event(pending: PendingPayload, index: int) -> DecodedEvent:
    return DecodedEvent(
        _build_event_id(pending, index), None, "the payload that contains the event cannot be read"
    )


def _build_event_id(pending: PendingPayload, index: int) -> str:
    return f"{pending.payload.key}-{index}"
