"""Whether the people of a route are told of an incident, why, and from when. A value; sending comes after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstcause.core.model import Incident, IncidentStatus, NotifyReason, Priority

RETRY_DELAY_S = 300.0
"""Seconds after which what nobody could deliver is tried anew; they double with each time."""


@dataclass(frozen=True)
class NotificationState:
    """What is queued or said of an incident by one route so far, since it was last said to be over.

    notifiers: of the route, as it was used last. queued: reasons of what waits. first_due: of the first
    message where it waits. said_fault: the root named in the last one that was sent, None where that said
    that it is over. said_priority: the highest that was said. since: when people were first told, or told
    that it is worse. said_at: of the last message. over: people were told so, which counts when it comes
    back. escalated_at: when the last escalation was queued or said. failures: messages that no notifier
    could deliver since one was said, failed_at the last of them.
    """

    notifiers: tuple[str, ...] = ()
    queued_reasons: frozenset[NotifyReason] = frozenset()
    first_due: datetime | None = None
    notified_fault: str | None = None
    notified_priority: Priority | None = None
    notified_since: datetime | None = None
    last_notified_at: datetime | None = None
    resolution_sent: bool = False
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
    advance: bool = False


def decide(
    incident: Incident,
    state: NotificationState,
    now: datetime,
    group_wait: float,
    *,
    route_matches: bool = True,
    is_confident: bool = True,
) -> Decision:
    """What to say by a route of an incident that was opened or changed. group_wait: seconds.

    fits: whether the route takes the incident as it is now. sure: whether the root is much likelier than
    the one that was said; else it is shown and not said.

    The first notification waits, so that a cause found a moment after its effects is the one named.
    """
    if incident.status is IncidentStatus.MERGED or incident.suppressed:
        return Decision(cancel=True)
    if incident.status is IncidentStatus.RESOLVED:
        return _decide_resolved(incident, state, now)
    if state.notified_fault is None:
        return _decide_first(incident, state, now, group_wait, route_matches=route_matches)
    # A first one that waits is of an incident that was merged with this one; and it is not over after all.
    cancel_stale = not state.queued_reasons.isdisjoint({NotifyReason.FIRST, NotifyReason.RESOLVED})
    reason = None
    if is_confident and state.notified_fault != incident.fault:
        reason = NotifyReason.NEW_ROOT
    elif is_more_urgent(incident, state):
        reason = NotifyReason.ESCALATED
    if reason is None or reason in state.queued_reasons:
        return Decision(cancel=cancel_stale)
    return Decision(reason, now, cancel=cancel_stale)


def _decide_resolved(incident: Incident, state: NotificationState, now: datetime) -> Decision:
    if NotifyReason.RESOLVED in state.queued_reasons:
        return Decision()
    notify = state.notified_fault is not None and not incident.drill
    return Decision(NotifyReason.RESOLVED, now, cancel=True) if notify else Decision(cancel=True)


def _decide_first(
    incident: Incident, state: NotificationState, now: datetime, group_wait: float, *, route_matches: bool
) -> Decision:
    if not route_matches:
        return Decision(cancel=True)
    started_at = now if state.resolution_sent else incident.opened_at
    due_at = now if incident.drill else max(now, started_at + timedelta(seconds=group_wait))
    if state.first_due is not None:
        advance = state.first_due > due_at
        return Decision(NotifyReason.FIRST, due_at, advance=True) if advance else Decision()
    return Decision() if state.failures else Decision(NotifyReason.FIRST, due_at)


def is_more_urgent(incident: Incident, state: NotificationState) -> bool:
    """Whether the priority is higher than in every message that the route sent about the incident."""
    return state.notified_priority is not None and incident.priority.rank > state.notified_priority.rank


def reminder_due(
    incident: Incident, state: NotificationState, now: datetime, repeat_interval: float
) -> Decision:
    """What to say by a route because time went on. repeat_interval: seconds, 0 for no reminders."""
    if not _is_unacknowledged(incident) or state.queued_reasons:
        return Decision()
    if state.failed_at is not None and state.failures:
        retry_at = state.failed_at + timedelta(seconds=_retry_delay(state.failures, repeat_interval))
        reason = NotifyReason.FIRST if state.notified_fault is None else NotifyReason.REMINDER
        return Decision(reason, now) if retry_at <= now else Decision()
    if state.notified_fault is None or state.last_notified_at is None or not repeat_interval:
        return Decision()
    is_due = state.last_notified_at + timedelta(seconds=repeat_interval) <= now
    return Decision(NotifyReason.REMINDER, now) if is_due else Decision()


def _retry_delay(failures: int, repeat_interval: float) -> float:
    max_delay = max(RETRY_DELAY_S, repeat_interval or 12 * RETRY_DELAY_S)
    return float(min(RETRY_DELAY_S * 2 ** min(failures - 1, 20), max_delay))


def needs_escalation(
    incident: Incident,
    state: NotificationState,
    next_state: NotificationState,
    now: datetime,
    escalate_after: float,
) -> bool:
    """Whether the next route is to be told, as nobody acknowledged what the first one said.

    told: of the first route; further: of the next. escalate_after: seconds. A route whose notifiers all
    failed has told nobody, so the next is told at once.
    """
    if not _is_unacknowledged(incident) or NotifyReason.ESCALATED in next_state.queued_reasons:
        return False
    if state.notified_since is None:
        return state.failures > 0 and next_state.escalated_at is None
    if next_state.escalated_at is not None and next_state.escalated_at >= state.notified_since:
        return False
    return state.notified_since + timedelta(seconds=escalate_after) <= now


def still_relevant(reason: NotifyReason, incident: Incident, state: NotificationState) -> bool:
    """Whether what was queued for a reason is to be said now that its time has come."""
    match reason:
        case NotifyReason.RESOLVED:
            return incident.status is IncidentStatus.RESOLVED
        case NotifyReason.REMINDER:
            return _is_unacknowledged(incident)
        case NotifyReason.ESCALATED:
            return _is_unacknowledged(incident) or is_more_urgent(incident, state)
        case NotifyReason.NEW_ROOT:
            return incident.status is IncidentStatus.OPEN and state.notified_fault != incident.fault
        case _:
            return incident.status is IncidentStatus.OPEN


def _is_unacknowledged(incident: Incident) -> bool:
    is_open = incident.status is IncidentStatus.OPEN and not incident.suppressed and not incident.drill
    return is_open and incident.acknowledged_at is None
