"""Events that a plugin read from another tool's request, brought within our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.intake.native_format import MOST, Parsed, Rejected, happened, size, storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def taken(events: Sequence[Event], *, now: datetime, max_event_bytes: int) -> Parsed:
    """Those that are small enough, as they can be stored. IntakeError 413 where they are too many."""
    if len(events) > MOST:
        msg = f"the request has {len(events)} events, more than {MOST}; send it in parts"
        raise IntakeError(msg, 413)
    parsed = Parsed()
    for index, event in enumerate(events):
        try:
            sent = _small(event, max_event_bytes)
        except IntakeError as error:
            parsed.rejected.append(Rejected(index, str(error), error.status))
            continue
        time, apart = happened(event.time, now)
        fields = {**sent, "time": time, "details": {**sent["details"], **apart}}
        # No sender speaks for our own probes and drills.
        parsed.events.append(Event.model_validate(fields | {"probe": None, "drill": False}))
    return parsed


def _small(event: Event, most: int) -> dict[str, Any]:
    """The event as it can be stored. IntakeError where it is too large or nested too deeply."""
    try:
        sent: dict[str, Any] = storable(event.model_dump(mode="json"))
    except (ValueError, RecursionError):
        # pydantic gives up where it is nested far too deeply, and takes that for a circle.
        msg = "the event is nested too deeply"
        raise IntakeError(msg, 422) from None
    if size(sent) > most:
        msg = f"the event is over {most} bytes"
        raise IntakeError(msg, 413)
    return sent
