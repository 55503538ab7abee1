"""Writes what came of a message: in the outbox, on the timeline of its incident, and in the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Incident, IncidentStatus, NotifyReason
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.attempt import plan_retry
from firstcause.notify.stages import NO_LONGER_RELEVANT
from firstcause.store import incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Notification
    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.attempt import AttemptResult
    from firstcause.notify.queue import NotificationQueue
    from firstcause.notify.stages import Defer, Draft, Drop
    from firstcause.store.outbox import PendingMessage

log = logging.getLogger("firstcause.notify")

_MESSAGE_LABELS = {
    NotifyReason.FIRST: "first message",
    NotifyReason.NEW_ROOT: "new cause",
    NotifyReason.ESCALATED: "escalation",
    NotifyReason.REMINDER: "reminder",
    NotifyReason.FLAPPING: "message that it flaps",
    NotifyReason.STEADY: "message that it lasts",
    NotifyReason.RESOLVED: "recovery",
}
_IN_DIGEST_REASON = "in one message with others that were held back"


@dataclass(frozen=True)
class PreparedMessage:
    """A message with its text and its notifier.

    rows: the messages of the outbox that it delivers, several for a digest; it is logged as the first.
    position: of the notifier in the route of the first row.
    intelligence: the debug report as JSON, for the log of messages.
    resolved_rows: messages about incidents that were resolved meanwhile; a digest mentions them.
    """

    rows: Sequence[PendingMessage]
    position: int
    notifier: Notifier
    notification: Notification
    intelligence: Mapping[str, Any] = field(default_factory=dict)
    resolved_rows: Sequence[PendingMessage] = ()


@dataclass(frozen=True)
class OutcomeWriter:
    """The only place that writes outcomes of messages.

    max_attempts: how often each notifier of a route may try.
    """

    notification_queue: NotificationQueue
    mask: Mask
    max_attempts: int

    def write_notes(self, conn: sa.Connection, draft: Draft, now: datetime) -> None:
        """Write what the stages noted about a message to the timeline."""
        for what, reason in draft.notes:
            _add_note(conn, draft.row, now, what, reason)

    def write_deferral(self, conn: sa.Connection, draft: Draft, defer: Defer, now: datetime) -> None:
        """Put a message back until later. One that its rate limit holds back again gets no second line."""
        row = draft.row
        outbox.defer(conn, row, defer.until, draft.position, held_by=defer.held_by)
        if defer.held_by is None or row.held_by is None:
            _add_note(conn, row, now, f"held back until {defer.until:%Y-%m-%d %H:%M:%S} UTC", defer.why)

    def write_drop(self, conn: sa.Connection, draft: Draft, drop: Drop, now: datetime) -> None:
        """Close a message that is not sent."""
        if drop.outcome is None:
            return
        row = draft.row
        outbox.close(conn, row.id, drop.outcome, now, drop.why)
        what = drop.what if drop.what is not None else f"{_MESSAGE_LABELS[row.reason]} not sent"
        _add_note(conn, row, now, what, drop.why)
        self._end_drill(conn, draft.incident, now)

    def write_stale(self, conn: sa.Connection, rows: Sequence[PendingMessage], now: datetime) -> None:
        """Close messages that a digest leaves out as they are no longer relevant."""
        for row in rows:
            outbox.close(conn, row.id, "cancelled", now, NO_LONGER_RELEVANT)

    def write_result(
        self, conn: sa.Connection, message: PreparedMessage, result: AttemptResult, now: datetime
    ) -> None:
        """Write what came of an attempt: sent, to be retried, or given up."""
        error = self.mask.mask_text(result.error) if result.error is not None else None
        outbox.add_log_entry(conn, _build_log_row(message, result, error, now))
        for row in message.rows:
            if error is None:
                _write_sent(conn, message, row, now)
            else:
                self._write_failure(conn, message, row, result, error, now)
        for row in message.resolved_rows:
            outbox.close(conn, row.id, "cancelled", now, "resolved before the message was sent")
            if error is None:
                what = f"{message.notifier.name} reported that it was open, and is resolved"
                _add_note(conn, row, now, what, _IN_DIGEST_REASON)
        self._end_drill(conn, incidents.get(conn, str(message.rows[0].incident_id)), now)

    def _write_failure(
        self,
        conn: sa.Connection,
        message: PreparedMessage,
        row: PendingMessage,
        result: AttemptResult,
        error: str,
        now: datetime,
    ) -> None:
        name = message.notifier.name
        retry = plan_retry(
            result,
            position=message.position,
            attempts=row.attempts if message.position == row.position else 0,
            notifiers=len(row.notifiers),
            max_attempts=self.max_attempts,
        )
        if retry is None:
            outbox.close(conn, row.id, "given up", now, error)
            _add_note(conn, row, now, f"{name} failed, and nobody could be told", error)
            log.error(
                "incident %s: notifier %s failed and no other is left: %s", row.incident_id, name, error
            )
            return
        is_same_notifier = retry.position == message.position
        outbox.schedule_retry(
            conn,
            row.id,
            due_at=now + timedelta(seconds=retry.delay_s),
            position=retry.position,
            attempts=retry.attempts,
            error=error,
            held_by=row.held_by if is_same_notifier else None,
        )
        next_step = (
            f"again in {retry.delay_s:g} s"
            if is_same_notifier
            else f"{row.notifiers[retry.position]} takes over"
        )
        _add_note(conn, row, now, f"{name} failed; {next_step}", error)
        log.warning("incident %s: notifier %s failed: %s; %s", row.incident_id, name, error, next_step)

    def _end_drill(self, conn: sa.Connection, incident: Incident, now: datetime) -> None:
        """Close the incident of a drill once all of its messages are sent or given up."""
        if (
            incident.drill
            and incident.status is IncidentStatus.OPEN
            and not outbox.has_pending(conn, incident.row_id)
        ):
            actor, reason = incidents.SYSTEM_ACTOR, "the drill is over"
            close_incident(conn, incident, now, self.notification_queue, actor=actor, reason=reason)


def _add_note(conn: sa.Connection, row: PendingMessage, now: datetime, what: str, reason: str) -> None:
    incidents.add_timeline_entry(conn, row.incident_id, now, f"route {row.route}: {what}", reason=reason)


def _write_sent(conn: sa.Connection, message: PreparedMessage, row: PendingMessage, now: datetime) -> None:
    outbox.close(conn, row.id, "sent", now)
    what = f"{_MESSAGE_LABELS[row.reason]} sent by {message.notifier.name}"
    if message.notification.reason is NotifyReason.DIGEST:
        what += f", in one message with {len(message.notification.incidents) - 1} others"
    incidents.add_timeline_entry(conn, row.incident_id, now, what, reason=f"route {row.route}")
    log.info("incident %s: %s", row.incident_id, what)


def _build_log_row(
    message: PreparedMessage, result: AttemptResult, error: str | None, now: datetime
) -> dict[str, Any]:
    notification, row = message.notification, message.rows[0]
    return {
        "incident_id": row.incident_id,
        "outbox_id": row.id,
        "at": now,
        "reason": notification.reason.value,
        "notifier": message.notifier.name,
        "status": "sent" if error is None else "failed",
        "code": notification.code,
        "severity": notification.severity.value,
        "priority": notification.priority.value,
        "text": notification.text,
        "reference": result.reference,
        "error": error,
        "maybe_repeat": notification.maybe_repeat,
        "intelligence": dict(message.intelligence),
    }
