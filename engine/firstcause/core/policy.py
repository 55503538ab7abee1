"""Whether a person is told of an incident, why, and from when. A value; sending is another step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstcause.core.model import Incident, IncidentStatus, NotifyReason


@dataclass(frozen=True)
class Told:
    """What is queued or said of an incident so far.

    first_queued: a first notification waits. said_fault: the root named in the last one that was sent,
    None where that said that it is over. over: people were told so, which counts when it comes back.
    """

    first_queued: bool = False
    said_fault: str | None = None
    over: bool = False
    new_root_queued: bool = False


@dataclass(frozen=True)
class Decision:
    """reason None: say nothing. cancel: what waits is no longer worth saying."""

    reason: NotifyReason | None = None
    due_at: datetime | None = None
    cancel: bool = False


def decide(
    incident: Incident, told: Told, now: datetime, group_wait: float, *, sure: bool = True
) -> Decision:
    """What to say of an incident that was opened or changed. group_wait: seconds.

    sure: whether the root is much likelier than the one that was said; else it is shown and not said.

    The first notification waits, so that a cause found a moment after its effects is the one named.
    """
    if incident.status is IncidentStatus.MERGED or incident.suppressed:
        return Decision(cancel=True)
    if incident.status is IncidentStatus.RESOLVED:
        if told.said_fault is not None:
            return Decision(NotifyReason.RESOLVED, now, cancel=True)
        return Decision(cancel=True)
    if told.said_fault is None:
        begun = now if told.over else incident.opened_at
        wait = max(now, begun + timedelta(seconds=group_wait))
        return Decision() if told.first_queued else Decision(NotifyReason.FIRST, wait)
    if sure and told.said_fault != incident.fault and not told.new_root_queued:
        return Decision(NotifyReason.NEW_ROOT, now)
    return Decision()
