"""Decides whether a route is notified of an incident, why, and from when. The decision is a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from firstcause.core.downtime import skip_downtime
from firstcause.core.model import Incident, IncidentStatus, Priority
from firstcause.core.notification import NotifyReason

if TYPE_CHECKING:
    from collections.abc import Collection

    from firstcause.core.downtime import Downtime

RETRY_DELAY_S = 300.0
"""Seconds until a message that no notifier could deliver is tried again; doubled after each failure."""

GIVE_UP_RECOVERY_S = 86400.0
"""Seconds after the end of an incident during which its recovery message is retried."""

CHECK_DELAYS_S = (120.0, 600.0, 1800.0)
"""Seconds from when a message was sent, or from the check before, until its delivery is checked."""


@dataclass(frozen=True)
class NotificationState:
    """What one route has queued and sent about an incident since its last recovery message.

    notifiers: of the route, as it was used last.
    queued_reasons: of the messages that are pending.
    first_due: when the first message is due, None if it is not pending.
    notified_fault: the root that the last sent message named, None if there is none or it was a recovery.
    notified_priority: the highest priority that was sent, None if nothing was.
    notified_since: when the route was first notified, or notified of a higher priority.
    last_notified_at: when the last message was sent.
    notified_flapping: whether the route knows that the incident flaps.
    resolution_sent: whether a recovery was sent, which matters if the incident is reopened.
    escalated_at: when the last escalation was queued or sent.
    failures: how often no notifier could deliver a message since the last one that was sent.
    open_receivers: notifiers that told, or may have told, people that the incident is open, and not that it
        is resolved.
    """

    notifiers: tuple[str, ...] = ()
    queued_reasons: frozenset[NotifyReason] = frozenset()
    first_due: datetime | None = None
    notified_fault: str | None = None
    notified_priority: Priority | None = None
    notified_since: datetime | None = None
    last_notified_at: datetime | None = None
    notified_flapping: bool = False
    resolution_sent: bool = False
    escalated_at: datetime | None = None
    failures: int = 0
    open_receivers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do about the messages of one route.

    reason: of the message to queue, None to queue none.
    due_at: when that message is due.
    cancel: whether the pending messages that nobody tried to send are dropped.
    advance: whether the first message, which is pending already, becomes due at `due_at` instead.
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
    """Decide what a route is sent about an incident that was opened or changed.

    group_wait: seconds that the first message waits.
    route_matches: whether the route takes the incident as it is now.
    is_confident: whether the root is much likelier than the notified root. If not, the new root is shown
        on the page and no message is sent.

    Example: an SMS fails at 3:00:00, and a probe finds Twilio down at 3:00:40. The first message waits for
    `group_wait`, a minute, so only one message goes out, and it names Twilio. Had the SMS failure been sent
    at once, the late root would need a second message (`NEW_ROOT`).
    """
    if incident.status is IncidentStatus.RESOLVED:
        return _decide_resolved(incident, state, now)
    if incident.status is IncidentStatus.MERGED or incident.suppressed:
        return Decision(cancel=True)
    if incident.flapping is not None and not state.notified_flapping:
        return _decide_flapping(incident, state, now, group_wait, route_matches=route_matches)
    if state.notified_fault is None:
        return _decide_first(incident, state, now, group_wait, route_matches=route_matches)
    # Two kinds of pending messages are stale here. A FIRST came with an incident that was merged into this
    # one, whose route is notified already. A RESOLVED was queued before the error came back.
    cancel_stale = not state.queued_reasons.isdisjoint({NotifyReason.FIRST, NotifyReason.RESOLVED})
    reason = None
    if is_confident and state.notified_fault != incident.fault:
        reason = NotifyReason.NEW_ROOT
    elif is_more_urgent(incident, state):
        reason = NotifyReason.ESCALATED
    elif state.notified_flapping and incident.flapping is None:
        reason = NotifyReason.STEADY
    if reason is None or reason in state.queued_reasons:
        return Decision(cancel=cancel_stale)
    return Decision(reason, now, cancel=cancel_stale)


def _decide_resolved(incident: Incident, state: NotificationState, now: datetime) -> Decision:
    """Tell all who were notified of the end, also during a silence: a silence mutes what is wrong."""
    if NotifyReason.RESOLVED in state.queued_reasons:
        return Decision()
    is_known = state.notified_fault is not None or bool(state.open_receivers)
    notify = is_known and not incident.drill
    return Decision(NotifyReason.RESOLVED, now, cancel=True) if notify else Decision(cancel=True)


def _decide_first(
    incident: Incident, state: NotificationState, now: datetime, group_wait: float, *, route_matches: bool
) -> Decision:
    if not route_matches:
        return Decision(cancel=True)
    started_at = now if state.resolution_sent else incident.opened_at
    due_at = now if incident.drill else max(now, started_at + timedelta(seconds=group_wait))
    if state.first_due is not None:
        # After a failure the message waits for its next retry.
        advance = state.first_due > due_at and not state.failures
        return Decision(NotifyReason.FIRST, due_at, advance=True) if advance else Decision()
    return Decision() if state.failures else Decision(NotifyReason.FIRST, due_at)


def _decide_flapping(
    incident: Incident, state: NotificationState, now: datetime, group_wait: float, *, route_matches: bool
) -> Decision:
    """Decide on the one message that the incident flaps; it stands for a first message as well."""
    if state.notified_fault is None and not route_matches:
        return Decision(cancel=True)
    if NotifyReason.FLAPPING in state.queued_reasons or state.failures:
        return Decision()
    due_at = max(now, incident.opened_at + timedelta(seconds=group_wait))
    return Decision(NotifyReason.FLAPPING, due_at, cancel=True)


def is_more_urgent(incident: Incident, state: NotificationState) -> bool:
    """Whether the priority is higher than in every message that the route sent about the incident."""
    return state.notified_priority is not None and incident.priority.rank > state.notified_priority.rank


def reminder_due(
    incident: Incident, state: NotificationState, now: datetime, repeat_interval: float
) -> Decision:
    """Decide whether a route is reminded of an open incident.

    repeat_interval: seconds between reminders, 0 for no reminders.
    """
    if not _is_unacknowledged(incident) or state.queued_reasons:
        return Decision()
    if state.notified_fault is None or state.last_notified_at is None or not repeat_interval:
        return Decision()
    is_due = state.last_notified_at + timedelta(seconds=repeat_interval) <= now
    return Decision(NotifyReason.REMINDER, now) if is_due else Decision()


def compute_retry_delay(failures: int, repeat_interval: float) -> float:
    """Compute the seconds until a message that no notifier of its route could deliver is tried again.

    failures: how often that happened. repeat_interval: seconds between reminders, 0 for no reminders.
    """
    max_delay = max(RETRY_DELAY_S, repeat_interval or 12 * RETRY_DELAY_S)
    return float(min(RETRY_DELAY_S * 2 ** min(failures - 1, 20), max_delay))


def may_retry_route(incident: Incident, now: datetime) -> bool:
    """Whether a message that no notifier of its route could deliver is tried again."""
    if incident.drill:
        return False
    return incident.resolved_at is None or now < incident.resolved_at + timedelta(seconds=GIVE_UP_RECOVERY_S)


def plan_check(checks: int, now: datetime) -> datetime | None:
    """Plan when to ask what became of a message; None if it was asked often enough.

    checks: how often it was asked.
    """
    return now + timedelta(seconds=CHECK_DELAYS_S[checks]) if checks < len(CHECK_DELAYS_S) else None


def skip_unanswered_downtime(state: NotificationState, downtimes: Collection[Downtime]) -> NotificationState:
    """Return the state as if no time had passed while firstcause did not run."""

    def shift(time: datetime | None) -> datetime | None:
        return skip_downtime(time, downtimes) if time is not None else None

    return replace(
        state,
        notified_since=shift(state.notified_since),
        last_notified_at=shift(state.last_notified_at),
        escalated_at=shift(state.escalated_at),
    )


def needs_escalation(
    incident: Incident,
    state: NotificationState,
    next_state: NotificationState,
    now: datetime,
    escalate_after: float,
) -> bool:
    """Whether the next route is notified because nobody acknowledged the incident in time.

    state: of the first route. next_state: of the route that the first one escalates to.
    escalate_after: seconds after the first route was notified.

    If all notifiers of the first route failed, nobody knows of the incident, so the next route is notified
    at once.
    """
    if not _is_unacknowledged(incident) or NotifyReason.ESCALATED in next_state.queued_reasons:
        return False
    if state.notified_since is None:
        return state.failures > 0 and next_state.escalated_at is None
    if next_state.escalated_at is not None and next_state.escalated_at >= state.notified_since:
        return False
    return state.notified_since + timedelta(seconds=escalate_after) <= now


def still_relevant(reason: NotifyReason, incident: Incident, state: NotificationState) -> bool:
    """Whether a message that is due is still worth sending; the incident may have changed since."""
    match reason:
        case NotifyReason.RESOLVED:
            return incident.status is IncidentStatus.RESOLVED
        case NotifyReason.REMINDER:
            return _is_unacknowledged(incident)
        case NotifyReason.ESCALATED:
            return _is_unacknowledged(incident) or is_more_urgent(incident, state)
        case NotifyReason.NEW_ROOT:
            return incident.status is IncidentStatus.OPEN and state.notified_fault != incident.fault
        case NotifyReason.FLAPPING | NotifyReason.STEADY:
            is_flapping = incident.flapping is not None
            return incident.status is IncidentStatus.OPEN and is_flapping is (reason is NotifyReason.FLAPPING)
        case _:
            return incident.status is IncidentStatus.OPEN


def _is_unacknowledged(incident: Incident) -> bool:
    is_open = incident.status is IncidentStatus.OPEN and not incident.suppressed and not incident.drill
    return is_open and incident.acknowledged_at is None
