"""Decides whether one failed look at a component is enough, or whether its probe looks again first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Status

if TYPE_CHECKING:
    from firstcause.core.reading import Reading


@dataclass(frozen=True)
class ProbePolicy:
    """How probes look; rule files set these as thresholds `probe_...`.

    second_look: seconds after which a probe looks again that failed once; 0 means that once is enough.
    """

    second_look: float = 5.0


def needs_second_look(reading: Reading, before: Reading | None, *, has_alert: bool) -> bool:
    """Whether a failure that was seen once may be a hiccup, so that the probe looks again.

    before: the last reading that counts, None if there is none. has_alert: whether the probe raised an alert
    that is active.
    """
    is_momentary = reading.status is Status.DOWN or reading.momentary
    was_well = before is None or before.status is Status.UP
    return is_momentary and was_well and not has_alert


def mark_seen_once(before: Reading, failure: Reading) -> Reading:
    """Return the reading to show while the probe looks again: as before, with what was seen once."""
    detail = f"seen once, looking again: {failure.detail or failure.status}"
    return before.model_copy(update={"detail": detail, "latency_ms": None})
