"""Opens parcels of the inbox: the events in them, and what is in place of one that cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.core.model import Event
from firstcause.intake import fast_path
from firstcause.store import inbox

if TYPE_CHECKING:
    from firstcause.store.inbox import PendingPayload


class DecodedEvent(NamedTuple):
    """An event to triage. event None: what was stored cannot be read, problem says why; raw: what it is."""

    event_id: str
    event: Event | None
    problem: str | None = None
    raw: Any = None


def decode(pending: PendingPayload) -> list[DecodedEvent]:
    """Those of the parcel that are to be taken now."""
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
    # However many can be read, there are as many as were counted.
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
    return DecodedEvent(_build_event_id(pending, index), None, "the parcel that it came in cannot be read")


def _build_event_id(pending: PendingPayload, index: int) -> str:
    return f"{pending.payload.key}-{index}"
