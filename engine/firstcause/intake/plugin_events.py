"""Brings events that a plugin has read from another tool's request within our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.intake.native_format import (
    MAX_EVENTS,
    ParseResult,
    RejectedEvent,
    correct_event_time,
    json_size,
    make_storable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


_OWN_FIELDS = {"probe": None, "ends_alert": None, "ends_part": None, "drill": False}
"""What only firstcause itself may say: senders must not report in the name of its probes and drills."""


def sanitize_events(events: Sequence[Event], *, now: datetime, max_event_bytes: int) -> ParseResult:
    """Make a plugin's events storable, and reject those that are too large or nested too deeply.

    now: events that are further ahead than clocks differ get this time. max_event_bytes: of one event.
    Raises IntakeError 413 for more than MAX_EVENTS.
    """
    if len(events) > MAX_EVENTS:
        msg = f"the request has {len(events)} events, more than {MAX_EVENTS}; split it"
        raise IntakeError(msg, 413)
    parsed = ParseResult()
    for index, event in enumerate(events):
        try:
            storable_fields = _to_storable_fields(event, max_event_bytes)
        except IntakeError as error:
            parsed.rejected.append(RejectedEvent(index, str(error), error.status))
            continue
        time, extra_details = correct_event_time(event.time, now, event.sent_at)
        fields = {**storable_fields, "time": time, "details": {**storable_fields["details"], **extra_details}}
        parsed.events.append(Event.model_validate(fields | _OWN_FIELDS))
    return parsed


def _to_storable_fields(event: Event, max_bytes: int) -> dict[str, Any]:
    """Return an event's fields as they can be stored. Raises IntakeError 413 or 422."""
    try:
        storable_fields: dict[str, Any] = make_storable(event.model_dump(mode="json"))
    except (ValueError, RecursionError):
        # pydantic takes very deep nesting for a circular reference.
        msg = "the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    if json_size(storable_fields) > max_bytes:
        msg = f"the event is over {max_bytes} bytes"
        raise IntakeError(msg, 413)
    return storable_fields
