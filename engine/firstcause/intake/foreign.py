"""Events that a plugin read from another tool's request, brought within our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.intake.native import MOST, Parsed, Rejected, happened, size, storable

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
        sent = storable(event.model_dump(mode="json"))
        if size(sent) > max_event_bytes:
            parsed.rejected.append(Rejected(index, f"the event is over {max_event_bytes} bytes", 413))
            continue
        time, apart = happened(event.time, now)
        fields = {**sent, "time": time, "details": {**sent["details"], **apart}}
        # No sender speaks for our own probes and drills.
        parsed.events.append(Event.model_validate(fields | {"probe": None, "drill": False}))
    return parsed
