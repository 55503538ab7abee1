"""Whether the people of a route are told of an incident, why, and from when. A value; sending comes after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstcause.core.model import Incident, IncidentStatus, NotifyReason, Priority

AGAIN = 300.0
"""Seconds after which what nobody could deliver is tried anew; they double with each time."""


@dataclass(frozen=True)
class Told:
    """What is queued or said of an incident by one route so far, since it was last said to be over.

    notifiers: of the route, as it was used last. queued: reasons of what waits. first_due: of the first
    message where it waits. said_fault: the root named in the last one that was sent, None where that said
    that it is over. said_priority: the highest that was said. since: when people were first told, or told
    that it is worse. said_at: of the last message. over: people were told so, which counts when it comes
    back. escalated_at: when the last escalation was queued or said. failures: messages that no notifier
    could deliver since one was said, failed_at the last of them.
    """

    notifiers: tuple[str, ...] = ()
    queued: frozenset[NotifyReason] = frozenset()
    first_due: datetime | None = None
    said_fault: str | None = None
    said_priority: Priority | None = None
    since: datetime | None = None
    said_at: datetime | None = None
    over: bool = False
    escalated_at: datetime | None = None
    failures: int = 0
    failed_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """reason None: say nothing new. cancel: what waits is no longer worth saying.

    sooner: the message waits already, and longer than it need.
    """

    reason: NotifyReason | None = None
    due_at: datetime | None = None
    cancel: bool = False
    sooner: bool = False


def decide(
    incident: Incident, told: Told, now: datetime, group_wait: float, *, fits: bool = True, sure: bool = True
) -> Decision:
    """What to say by a route of an incident that was opened or changed. group_wait: seconds.

    fits: whether the route takes the incident as it is now. sure: whether the root is much likelier than
    the one that was said; else it is shown and not said.

    The first notification waits, so that a cause found a moment after its effects is the one named.
    """
    if incident.status is IncidentStatus.MERGED or incident.suppressed:
        return Decision(cancel=True)
    if incident.status is IncidentStatus.RESOLVED:
        return _over(incident, told, now)
    if told.said_fault is None:
        return _first(incident, told, now, group_wait, fits=fits)
    # A first one that waits is of an incident that was merged with this one; and it is not over after all.
    stale = not told.queued.isdisjoint({NotifyReason.FIRST, NotifyReason.RESOLVED})
    reason = None
    if sure and told.said_fault != incident.fault:
        reason = NotifyReason.NEW_ROOT
    elif _worse(incident, told):
        reason = NotifyReason.ESCALATED
    if reason is None or reason in told.queued:
        return Decision(cancel=stale)
    return Decision(reason, now, cancel=stale)


def _over(incident: Incident, told: Told, now: datetime) -> Decision:
    if NotifyReason.RESOLVED in told.queued:
        return Decision()
    say = told.said_fault is not None and not incident.drill
    return Decision(NotifyReason.RESOLVED, now, cancel=True) if say else Decision(cancel=True)


def _first(incident: Incident, told: Told, now: datetime, group_wait: float, *, fits: bool) -> Decision:
    if not fits:
        return Decision(cancel=True)
    begun = now if told.over else incident.opened_at
    wait = now if incident.drill else max(now, begun + timedelta(seconds=group_wait))
    if told.first_due is not None:
        sooner = told.first_due > wait
        return Decision(NotifyReason.FIRST, wait, sooner=True) if sooner else Decision()
    return Decision() if told.failures else Decision(NotifyReason.FIRST, wait)


def _worse(incident: Incident, told: Told) -> bool:
    return told.said_priority is not None and incident.priority.rank > told.said_priority.rank


def overdue(incident: Incident, told: Told, now: datetime, repeat_interval: float) -> Decision:
    """What to say by a route because time went on. repeat_interval: seconds, 0 for no reminders."""
    if not _nobody_is_at(incident) or told.queued:
        return Decision()
    if told.failed_at is not None and told.failures:
        again = told.failed_at + timedelta(seconds=_patience(told.failures, repeat_interval))
        reason = NotifyReason.FIRST if told.said_fault is None else NotifyReason.REMINDER
        return Decision(reason, now) if again <= now else Decision()
    if told.said_fault is None or told.said_at is None or not repeat_interval:
        return Decision()
    due = told.said_at + timedelta(seconds=repeat_interval) <= now
    return Decision(NotifyReason.REMINDER, now) if due else Decision()


def _patience(failures: int, repeat_interval: float) -> float:
    longest = max(AGAIN, repeat_interval or 12 * AGAIN)
    return float(min(AGAIN * 2 ** min(failures - 1, 20), longest))


def unanswered(incident: Incident, told: Told, further: Told, now: datetime, escalate_after: float) -> bool:
    """Whether the next route is to be told, as nobody acknowledged what the first one said.

    told: of the first route; further: of the next. escalate_after: seconds. A route whose notifiers all
    failed has told nobody, so the next is told at once.
    """
    if not _nobody_is_at(incident) or NotifyReason.ESCALATED in further.queued:
        return False
    if told.since is None:
        return told.failures > 0 and further.escalated_at is None
    if further.escalated_at is not None and further.escalated_at >= told.since:
        return False
    return told.since + timedelta(seconds=escalate_after) <= now


def still_worth(reason: NotifyReason, incident: Incident, told: Told) -> bool:
    """Whether what was queued for a reason is to be said now that its time has come."""
    match reason:
        case NotifyReason.RESOLVED:
            return incident.status is IncidentStatus.RESOLVED
        case NotifyReason.REMINDER:
            return _nobody_is_at(incident)
        case NotifyReason.ESCALATED:
            return _nobody_is_at(incident) or _worse(incident, told)
        case NotifyReason.NEW_ROOT:
            return incident.status is IncidentStatus.OPEN and told.said_fault != incident.fault
        case _:
            return incident.status is IncidentStatus.OPEN


def _nobody_is_at(incident: Incident) -> bool:
    is_open = incident.status is IncidentStatus.OPEN and not incident.suppressed and not incident.drill
    return is_open and incident.acknowledged_at is None
