"""What a due message passes before a notifier sends it: stages in order, as in Alertmanager's pipeline.

Each stage takes the draft of a message and decides: go on with it, put it off, or drop it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import IncidentStatus
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState, is_more_urgent, still_relevant
from firstcause.core.notify.rate_limit import earliest_send_time
from firstcause.core.notify.receiver import (
    Attempt,
    Knowledge,
    ReceiverState,
    begin_attempt,
    may_think_open,
)
from firstcause.notify.routes import find_obstacle
from firstcause.store import alerts, incidents, notification_state, outbox, receiver_states

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import NotifierLimit, Notify
    from firstcause.core.model import Incident
    from firstcause.core.notification import Notification
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.composer import MessageComposer
    from firstcause.store.outbox import PendingMessage

    Stage = Callable[["Draft", "StageContext"], "StageResult"]

log = logging.getLogger("firstcause.notify")

NO_LONGER_RELEVANT = "no longer relevant"


@dataclass(frozen=True)
class StageContext:
    """What all stages work with. conn: of the transaction in which the message is prepared.

    hanging: notifiers whose earlier call has not returned; they are passed over.
    busy: notifiers that send another message just now; a message waits for them.
    """

    conn: sa.Connection
    now: datetime
    settings: Notify
    notifiers: Mapping[str, Notifier]
    composer: MessageComposer
    hanging: Collection[str] = ()
    busy: Collection[str] = ()


@dataclass(frozen=True)
class Draft:
    """A message on its way through the stages.

    state: what the route was notified of before.
    receivers: what each notifier of the route told its people, by name.
    position: of the notifier in the route.
    notes: lines for the timeline: what, and the reason.
    notification: None until it is composed. intelligence: the debug report as JSON, for the log of messages.
    """

    row: PendingMessage
    incident: Incident
    state: NotificationState
    position: int
    receivers: Mapping[str, ReceiverState] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()
    notification: Notification | None = None
    intelligence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notifier_name(self) -> str:
        """The notifier that is to send the message."""
        return self.row.notifiers[self.position]

    @property
    def receiver(self) -> ReceiverState:
        """What the people behind that notifier know."""
        return self.receivers.get(self.notifier_name, ReceiverState())


@dataclass(frozen=True)
class Continue:
    """The message continues to the next stage."""

    draft: Draft


@dataclass(frozen=True)
class Defer:
    """The message waits until then.

    held_by: the notifier whose rate limit holds the message back, None for another reason.
    """

    until: datetime
    why: str
    held_by: str | None = None


@dataclass(frozen=True)
class Drop:
    """The message is never sent.

    outcome: as the outbox stores it; None if another process has closed the message already. "given up" means
        that no notifier can send; the message is then retried later, unless it is a drill.
    what: the line for the timeline, None to name the message that is not sent.
    """

    outcome: str | None
    why: str
    what: str | None = None


@dataclass(frozen=True)
class Wait:
    """The message waits until its notifier has sent another one."""


StageResult = Continue | Defer | Drop | Wait


def start_draft(row: PendingMessage, context: StageContext) -> Draft:
    """Load what the stages need to know about a claimed message."""
    conn = context.conn
    states = notification_state.load_state(conn, row.incident_id, excluded_id=row.id)
    incident = incidents.get(conn, str(row.incident_id))
    receivers = receiver_states.load_by_incident(conn, [row.incident_id])[row.incident_id]
    return Draft(
        row,
        incident,
        states.get(row.route, NotificationState()),
        row.position,
        receivers=receivers.get(row.route, {}),
    )


def run_stages(draft: Draft, context: StageContext) -> tuple[Draft, StageResult]:
    """Pass a draft through all stages; return it as the last stage left it, with that stage's result."""
    result: StageResult = Continue(draft)
    for stage in STAGES:
        result = stage(draft, context)
        if not isinstance(result, Continue):
            break
        draft = result.draft
    return draft, result


def check_pending(draft: Draft, context: StageContext) -> StageResult:
    """Drop a message that was cancelled after it was claimed."""
    if outbox.is_pending(context.conn, draft.row.id):
        return Continue(draft)
    return Drop(None, "cancelled meanwhile")


def check_relevance(draft: Draft, _context: StageContext) -> StageResult:
    """Drop a message whose news is out of date, for example a reminder of an acknowledged incident.

    A recovery is for the first of its notifiers; the others only take over.
    """
    row = draft.row
    receiver = draft.receivers.get(row.notifiers[0])
    is_for_nobody = (
        row.reason is NotifyReason.RESOLVED and receiver is not None and not may_think_open(receiver)
    )
    if is_for_nobody or not still_relevant(row.reason, draft.incident, draft.state):
        return Drop("cancelled", NO_LONGER_RELEVANT)
    return Continue(draft)


def wait_for_quiet_hours(draft: Draft, context: StageContext) -> StageResult:
    """Put off what may wait until the end of the route's quiet hours."""
    incident, route = draft.incident, context.settings.by_name.get(draft.row.route)
    quiet = route.quiet_hours if route is not None else None
    if quiet is None or incident.drill or incident.priority in quiet.excepted:
        return Continue(draft)
    until = quiet.hours.quiet_until(context.now)
    return Continue(draft) if until is None else Defer(until, "quiet hours")


def choose_notifier(draft: Draft, context: StageContext) -> StageResult:
    """Choose the first notifier of the route that can send: it exists, works, and does not hang.

    A recovery waits for a notifier that hangs: only its people know of the incident.
    """
    row, position = draft.row, draft.position
    broken_components = _find_broken_components(draft.incident, context.conn)
    waits_for_hanging = row.reason is NotifyReason.RESOLVED
    notes = draft.notes
    while position < len(row.notifiers):
        name = row.notifiers[position]
        obstacle = find_obstacle(name, broken_components, context.notifiers, context.hanging)
        if obstacle is None:
            return Continue(replace(draft, position=position, notes=notes))
        if waits_for_hanging and name in context.hanging:
            break
        log.warning("incident %s: notifier %s is passed over: %s", row.incident_id, name, obstacle)
        notes += ((f"{name} passed over", obstacle),)
        position += 1
    why = "no notifier of the route is available"
    log.error("incident %s: route %s: %s", row.incident_id, row.route, why)
    return Drop("given up", why, "nobody could be notified")


def skip_known(draft: Draft, _context: StageContext) -> StageResult:
    """Skip a first message to people who know of the incident already, as they missed that it had ended."""
    receiver = draft.receiver
    is_known = receiver.knows is Knowledge.OPEN and receiver.fault == draft.incident.fault
    if draft.row.reason is not NotifyReason.FIRST or not is_known:
        return Continue(draft)
    return Drop("sent", f"{draft.notifier_name} was not told that it had ended", "it is known already")


def wait_for_notifier(draft: Draft, context: StageContext) -> StageResult:
    """Let a message wait while its notifier sends another one."""
    return Wait() if draft.notifier_name in context.busy else Continue(draft)


def apply_rate_limit(draft: Draft, context: StageContext) -> StageResult:
    """Hold back a message of a notifier that has sent as many as its limit allows."""
    name = draft.notifier_name
    until = find_rate_limit_end(name, draft.incident, context)
    if until is None:
        return Continue(draft)
    log.warning(
        "incident %s: notifier %s is at its rate limit; message held back until %s",
        draft.row.incident_id, name, until.isoformat(timespec="seconds"),
    )  # fmt: skip
    return Defer(until, f"{name} has sent as many messages as it may", held_by=name)


def compose(draft: Draft, context: StageContext) -> StageResult:
    """Write the text of the message."""
    notification, report = context.composer.compose(
        context.conn,
        draft.row,
        draft.incident,
        context.now,
        receiver=draft.receiver,
        more_urgent=is_more_urgent(draft.incident, draft.state),
    )
    return Continue(replace(draft, notification=notification, intelligence=report.model_dump(mode="json")))


def mark_sending(draft: Draft, context: StageContext) -> StageResult:
    """Write down that the message is being sent, so that a crash from here on may mean a repetition."""
    assert draft.notification is not None, "an earlier stage composes"
    record_attempt(context, draft.row, draft.incident, draft.notifier_name, draft.notification.text)
    return Continue(draft)


def record_attempt(
    context: StageContext, row: PendingMessage, incident: Incident, notifier: str, text: str
) -> None:
    """Record that a notifier is about to send a message: until its outcome is known, it is in doubt."""
    conn = context.conn
    outbox.mark_sending(conn, row.id, incident.fault, incident.priority)
    before = receiver_states.load(conn, row.incident_id, row.route, notifier)
    # A digest that names an incident as resolved tells its end, whatever the message was about before.
    reason = row.reason if incident.status is IncidentStatus.OPEN else NotifyReason.RESOLVED
    after = begin_attempt(before, Attempt(row.id, reason, context.now, text))
    receiver_states.save(conn, row.incident_id, row.route, notifier, after)


STAGES: Sequence[Stage] = (
    check_pending,
    check_relevance,
    wait_for_quiet_hours,
    choose_notifier,
    skip_known,
    wait_for_notifier,
    apply_rate_limit,
    compose,
    mark_sending,
)


def find_rate_limit_end(name: str, incident: Incident, context: StageContext) -> datetime | None:
    """Find when the notifier may send again about the incident, None if it may send now."""
    limit = _find_limit(name, context)
    if limit is None or incident.drill or incident.priority in limit.excepted:
        return None
    sent_times = outbox.list_sent_since(context.conn, name, context.now - timedelta(seconds=limit.per))
    free_from = earliest_send_time(sent_times, context.now, limit.maximum, limit.per)
    return free_from if free_from > context.now else None


def _find_limit(name: str, context: StageContext) -> NotifierLimit | None:
    if name in context.settings.limits:
        return context.settings.limits[name]
    notifier = context.notifiers.get(name)
    return None if notifier is None or notifier.last_resort else context.settings.default_limit


def _find_broken_components(incident: Incident, conn: sa.Connection) -> frozenset[str]:
    """Find the components with active alerts; none if the incident is over, or a drill."""
    if incident.status is not IncidentStatus.OPEN or incident.drill:
        return frozenset()
    members = alerts.load_by_incident(conn, [incident.row_id])[incident.row_id]
    return frozenset(alert.component for alert in members if alert.component is not None and alert.active)
