"""Writes what came of a message: in the outbox, on the timeline of its incident, and in the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Incident, IncidentStatus
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import compute_retry_delay, may_retry_route, plan_check
from firstcause.core.notify.receiver import record_delivered, record_failed, record_late_failure
from firstcause.core.text.durations import format_duration
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.attempt import AttemptResult, plan_retry
from firstcause.notify.stages import NO_LONGER_RELEVANT
from firstcause.store import incidents, outbox, receiver_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import Notify
    from firstcause.core.notification import Notification
    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.queue import NotificationQueue
    from firstcause.notify.stages import Defer, Draft, Drop
    from firstcause.store.outbox import DeliveryCheck, PendingMessage

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
    intelligence: the debug report as JSON, for the log of messages.
    resolved_rows: messages about incidents that were resolved meanwhile; a digest mentions them.
    faults: the root of the incident of each row, as the message names it, by the id of the row.
    """

    rows: Sequence[PendingMessage]
    notifier: Notifier
    notification: Notification
    faults: Mapping[int, str]
    intelligence: Mapping[str, Any] = field(default_factory=dict)
    resolved_rows: Sequence[PendingMessage] = ()


@dataclass(frozen=True)
class OutcomeWriter:
    """The only place that writes outcomes of messages."""

    notification_queue: NotificationQueue
    mask: Mask
    settings: Notify

    def write_notes(self, conn: sa.Connection, draft: Draft, now: datetime) -> None:
        """Write what the stages noted about a message to the timeline."""
        for what, reason in draft.notes:
            _add_note(conn, draft.row, now, what, reason)

    def write_wait(self, conn: sa.Connection, draft: Draft) -> None:
        """Release a message whose notifier sends another one just now."""
        outbox.defer(conn, draft.row, position=draft.position)

    def write_deferral(self, conn: sa.Connection, draft: Draft, defer: Defer, now: datetime) -> None:
        """Put a message back until later. The timeline shows each end of a wait once.

        A message that a rate limit holds back again gets no second line.
        """
        row, until = draft.row, defer.until
        outbox.defer(conn, row, until, draft.position, held_by=defer.held_by, noted_until=until)
        is_noted = row.noted_until == until or (defer.held_by is not None and row.held_by is not None)
        if not is_noted:
            _add_note(conn, row, now, f"held back until {until:%Y-%m-%d %H:%M:%S} UTC", defer.why)

    def write_drop(self, conn: sa.Connection, draft: Draft, drop: Drop, now: datetime) -> None:
        """Close a message that is not sent. One that no notifier can send is retried later."""
        row, incident = draft.row, draft.incident
        if drop.outcome is None:
            return
        what = drop.what if drop.what is not None else f"{_MESSAGE_LABELS[row.reason]} not sent"
        if drop.outcome == "given up":
            self._write_exhausted(conn, row, what, drop.why, now)
        else:
            if drop.outcome == "sent":
                outbox.mark_sending(conn, row.id, incident.fault, incident.priority)
            outbox.close(conn, row.id, drop.outcome, now, drop.why)
            _add_note(conn, row, now, what, drop.why)
        self._end_drill(conn, incident, now)

    def write_stale(self, conn: sa.Connection, rows: Sequence[PendingMessage], now: datetime) -> None:
        """Close messages that a digest leaves out as they are no longer relevant."""
        for row in rows:
            outbox.close(conn, row.id, "cancelled", now, NO_LONGER_RELEVANT)

    def write_result(
        self, conn: sa.Connection, message: PreparedMessage, result: AttemptResult, now: datetime
    ) -> None:
        """Write what came of an attempt: sent, or to be retried."""
        error = self.mask.mask_text(result.error) if result.error is not None else None
        outbox.add_log_entry(conn, _build_log_row(message, result, error, now))
        for row in (*message.rows, *message.resolved_rows):
            is_mentioned = row in message.resolved_rows
            told = NotifyReason.RESOLVED if is_mentioned else row.reason
            if error is not None:
                self._write_failure(conn, message, row, told, result, error, now)
                continue
            self._save_told(conn, message, row, told)
            if is_mentioned:
                _write_mentioned(conn, message, row, now)
            else:
                _write_sent(conn, message, row, result, now)
        self._end_drill(conn, incidents.get(conn, str(message.rows[0].incident_id)), now)

    def write_late_failure(
        self, conn: sa.Connection, check: DeliveryCheck, error: str | None, now: datetime
    ) -> None:
        """Write that a message which had counted as sent has failed: the next notifier takes over."""
        masked = self.mask.mask_text(error or "no reason was given")
        for row in check.rows:
            outbox.mark_log_failed(conn, row.id, check.notifier, masked)
            before = receiver_states.load(conn, row.incident_id, row.route, check.notifier)
            is_told_otherwise = outbox.has_sent_other(conn, row, check.notifier)
            receiver_states.save(
                conn,
                row.incident_id,
                row.route,
                check.notifier,
                record_late_failure(before, row.reason, masked, is_told_otherwise=is_told_otherwise),
            )
            refused = AttemptResult(error=masked, permanent=True)
            self._schedule_next(
                conn, row, check.notifier, refused, masked, now, "did not deliver it after all"
            )

    def _save_told(
        self,
        conn: sa.Connection,
        message: PreparedMessage,
        row: PendingMessage,
        told: NotifyReason,
        refused: str | None = None,
    ) -> None:
        state = replace(record_delivered(told, message.faults[row.id]), refused=refused)
        receiver_states.save(conn, row.incident_id, row.route, message.notifier.name, state)

    def _write_failure(
        self,
        conn: sa.Connection,
        message: PreparedMessage,
        row: PendingMessage,
        told: NotifyReason,
        result: AttemptResult,
        error: str,
        now: datetime,
    ) -> None:
        name = message.notifier.name
        is_partial = result.permanent and bool(result.receipts)
        if is_partial:
            # Some have the message, and the others refuse it for good: for this notifier it is sent.
            self._save_told(conn, message, row, told, refused=error)
            is_last = _find_position(row, name) + 1 >= len(row.notifiers)
            if is_last or row.reason is NotifyReason.RESOLVED:
                outbox.close(conn, row.id, "sent", now, error)
                _add_note(conn, row, now, f"{name} reached some of its receivers", error)
                log.warning("incident %s: %s reached some of its receivers: %s", row.incident_id, name, error)
                return
        else:
            before = receiver_states.load(conn, row.incident_id, row.route, name)
            after = record_failed(
                before,
                row.id,
                maybe_delivered=result.maybe_delivered,
                refused=error if result.permanent else None,
                receipts=result.receipts,
            )
            receiver_states.save(conn, row.incident_id, row.route, name, after)
        self._schedule_next(conn, row, name, result, error, now, "failed")

    def _schedule_next(
        self,
        conn: sa.Connection,
        row: PendingMessage,
        name: str,
        result: AttemptResult,
        error: str,
        now: datetime,
        what: str,
    ) -> None:
        """Schedule the next attempt at a message: with the same notifier, the next one, or the route later.

        what: what the notifier did.
        """
        position = _find_position(row, name)
        retry = plan_retry(
            result,
            position=position,
            attempts=row.attempts if position == row.position else 0,
            notifiers=len(row.notifiers),
            max_attempts=self.settings.retry_attempts,
            hands_over=row.reason is not NotifyReason.RESOLVED,
        )
        if retry is None:
            self._write_exhausted(conn, row, f"{name} {what}, and nobody could be told", error, now)
            log.error(
                "incident %s: notifier %s %s and no other is left: %s", row.incident_id, name, what, error
            )
            return
        is_same_notifier = retry.position == position
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
        _add_note(conn, row, now, f"{name} {what}; {next_step}", error)
        log.warning("incident %s: notifier %s %s: %s; %s", row.incident_id, name, what, error, next_step)

    def _write_exhausted(
        self, conn: sa.Connection, row: PendingMessage, what: str, error: str, now: datetime
    ) -> None:
        """Retry the whole route later. Drills are given up, and recoveries after a day."""
        incident = incidents.get(conn, str(row.incident_id))
        if not may_retry_route(incident, now):
            outbox.close(conn, row.id, "given up", now, error)
            _add_note(conn, row, now, what, error)
            return
        failures = row.failures + 1
        delay_s = compute_retry_delay(failures, self.settings.find_repeat_interval(row.route))
        outbox.schedule_retry(
            conn,
            row.id,
            due_at=now + timedelta(seconds=delay_s),
            position=0,
            attempts=0,
            error=error,
            failures=failures,
        )
        _add_note(conn, row, now, f"{what}; again in {format_duration(delay_s)}", error)

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


def _find_position(row: PendingMessage, notifier: str) -> int:
    """Find where a notifier that sent a message stands in the row's route."""
    names = row.notifiers[row.position :]
    return row.position + names.index(notifier) if notifier in names else row.position


def _write_sent(
    conn: sa.Connection, message: PreparedMessage, row: PendingMessage, result: AttemptResult, now: datetime
) -> None:
    notifier = message.notifier
    outbox.close(conn, row.id, "sent", now)
    check_at = plan_check(0, now) if notifier.check_delivery and result.reference else None
    outbox.record_sender(conn, row.id, notifier.name, result.reference, check_at)
    what = f"{_MESSAGE_LABELS[row.reason]} sent by {notifier.name}"
    if result.found:
        what = f"{_MESSAGE_LABELS[row.reason]} was sent by {notifier.name} with an earlier attempt"
    if message.notification.reason is NotifyReason.DIGEST:
        what += f", in one message with {len(message.notification.incidents) - 1} others"
    incidents.add_timeline_entry(conn, row.incident_id, now, what, reason=f"route {row.route}")
    log.info("incident %s: %s", row.incident_id, what)


def _write_mentioned(
    conn: sa.Connection, message: PreparedMessage, row: PendingMessage, now: datetime
) -> None:
    """Close a message about an incident that a digest named as resolved."""
    if row.reason is NotifyReason.RESOLVED:
        outbox.close(conn, row.id, "sent", now)
        what = f"{message.notifier.name} reported that it is resolved"
    else:
        outbox.close(conn, row.id, "cancelled", now, "resolved before the message was sent")
        what = f"{message.notifier.name} reported that it was open, and is resolved"
    _add_note(conn, row, now, what, _IN_DIGEST_REASON)


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
