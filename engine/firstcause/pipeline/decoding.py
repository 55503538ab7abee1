"""Opens parcels of the inbox: the events in them, and what is in place of one that cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.core.model import Event
from firstcause.intake import fast_path
from firstcause.store import inbox

if TYPE_CHECKING:
    from firstcause.store.inbox import Waiting


class Received(NamedTuple):
    """An event to triage. event None: what was stored cannot be read, problem says why; raw: what it is."""

    event_id: str
    event: Event | None
    problem: str | None = None
    raw: Any = None


def unpacked(waiting: Waiting) -> list[Received]:
    """Those of the parcel that are to be taken now."""
    parcel = waiting.parcel
    try:
        if parcel.as_sent:
            events = fast_path.events(parcel.body, parcel.key, waiting.received_at)
        else:
            events = inbox.events_of.validate_json(parcel.body)
    except ValueError as error:
        received = _piecemeal(waiting, error)
    else:
        received = [Received(each.id, each) for each in events]
    # However many can be read, there are as many as were counted.
    lacking = (_lacking(waiting, place) for place in range(len(received), parcel.events))
    return [*received, *lacking][: parcel.events][waiting.done : waiting.done + waiting.take]


def _piecemeal(waiting: Waiting, whole: ValueError) -> list[Received]:
    try:
        read = json.loads(waiting.parcel.body)
    except (ValueError, RecursionError):
        return []
    if waiting.parcel.as_sent or not isinstance(read, list):
        name = _name(waiting, 0)
        return [Received(name, None, str(whole), read)]
    return [_one(value, _name(waiting, place)) for place, value in enumerate(read)]


def _one(value: Any, name: str) -> Received:
    try:
        event = Event.model_validate(value)
    except ValueError as error:
        return Received(name, None, str(error), value)
    return Received(event.id, event)


def _lacking(waiting: Waiting, place: int) -> Received:
    return Received(_name(waiting, place), None, "the parcel that it came in cannot be read")


def _name(waiting: Waiting, place: int) -> str:
    return f"{waiting.parcel.key}-{place}"
