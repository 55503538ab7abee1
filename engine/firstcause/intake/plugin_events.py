"""Events that a plugin read from another tool's request, brought within our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.intake.native_format import (
    MAX_EVENTS,
    ParseResult,
    RejectedEvent,
    clamp_event_time,
    json_size,
    make_storable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def sanitize_events(events: Sequence[Event], *, now: datetime, max_event_bytes: int) -> ParseResult:
    """Those that are small enough, as they can be stored. IntakeError 413 where they are too many."""
    if len(events) > MAX_EVENTS:
        msg = f"the request has {len(events)} events, more than {MAX_EVENTS}; send it in parts"
        raise IntakeError(msg, 413)
    parsed = ParseResult()
    for index, event in enumerate(events):
        try:
            storable_fields = _to_storable_fields(event, max_event_bytes)
        except IntakeError as error:
            parsed.rejected.append(RejectedEvent(index, str(error), error.status))
            continue
        time, extra_details = clamp_event_time(event.time, now)
        fields = {**storable_fields, "time": time, "details": {**storable_fields["details"], **extra_details}}
        # No sender speaks for our own probes and drills.
        parsed.events.append(Event.model_validate(fields | {"probe": None, "drill": False}))
    return parsed


def _to_storable_fields(event: Event, max_bytes: int) -> dict[str, Any]:
    """The event as it can be stored. IntakeError where it is too large or nested too deeply."""
    try:
        storable_fields: dict[str, Any] = make_storable(event.model_dump(mode="json"))
    except (ValueError, RecursionError):
        # pydantic gives up where it is nested far too deeply, and takes that for a circle.
        msg = "the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    if json_size(storable_fields) > max_bytes:
        msg = f"the event is over {max_bytes} bytes"
        raise IntakeError(msg, 413)
    return storable_fields
