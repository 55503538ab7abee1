"""Brings events that a plugin has read from another tool's request within our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import RejectedItem
from firstcause.intake.native_format import (
    MAX_EVENTS,
    ParseResult,
    correct_event_time,
    json_size,
    make_storable,
)

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.hookspecs.types import IntakeResult


_OWN_FIELDS = {"probe": None, "ends_alert": None, "ends_part": None, "drill": False}
"""What only firstcause itself may say: senders must not report in the name of its probes and drills."""


def sanitize_events(result: IntakeResult, *, now: datetime, max_event_bytes: int) -> ParseResult:
    """Make a plugin's events storable, and reject those that are too large or nested too deeply.

    The items that the plugin rejected stay rejected.

    now: events that are further ahead than clocks differ get this time. max_event_bytes: of one event.
    Raises IntakeError 413 for more than MAX_EVENTS.
    """
    if len(result.events) > MAX_EVENTS:
        msg = f"the request has {len(result.events)} events, more than {MAX_EVENTS}; split it"
        raise IntakeError(msg, 413)
    parsed = ParseResult(rejected=list(result.rejected))
    positions = result.positions or range(len(result.events))
    for index, event in zip(positions, result.events, strict=True):
        try:
            storable_fields = _to_storable_fields(event, max_event_bytes)
        except IntakeError as error:
            parsed.rejected.append(RejectedItem(index, str(error), error.status))
            continue
        time, extra_details = correct_event_time(event.time, now, event.sent_at)
        fields = {**storable_fields, "time": time, "details": {**storable_fields["details"], **extra_details}}
        parsed.events.append(Event.model_validate(fields | _OWN_FIELDS))
    parsed.rejected.sort()
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
