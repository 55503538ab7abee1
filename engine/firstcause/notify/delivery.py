"""Says what waits in the outbox: claim, make the text, let a notifier try, write down what came of it."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Incident, IncidentStatus, NotifyReason
from firstcause.core.notify.policy import NotificationState, still_relevant
from firstcause.core.notify.rate_limit import earliest_send_time
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.attempt import AttemptResult, attempt, plan_retry
from firstcause.notify.routes import pick_notifier
from firstcause.store import alerts, incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import NotifierLimit, Notify
    from firstcause.core.model import Alert, Notification
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.composer import MessageComposer
    from firstcause.notify.queue import NotificationQueue
    from firstcause.store.database import Database
    from firstcause.store.outbox import PendingMessage

log = logging.getLogger("firstcause.notify")

_MESSAGE_LABELS = {
    NotifyReason.FIRST: "first message",
    NotifyReason.NEW_ROOT: "new cause",
    NotifyReason.ESCALATED: "escalation",
    NotifyReason.REMINDER: "reminder",
    NotifyReason.RESOLVED: "recovery",
}
_DIGEST_REASON = "with others that a limit had held back"


@dataclass(frozen=True)
class PreparedMessage:
    """A message whose text is made and whose notifier is chosen. place: of the notifier in the route.

    rows: those that it says; over: those that it mentions, of incidents that are over by now.
    """

    rows: Sequence[PendingMessage]
    position: int
    notifier: Notifier
    notification: Notification
    intelligence: Mapping[str, Any] = field(default_factory=dict)
    resolved_rows: Sequence[PendingMessage] = ()


@dataclass(frozen=True)
class Delivery:
    """Delivers from one outbox."""

    database: Database
    notifiers: Mapping[str, Notifier]
    composer: MessageComposer
    notification_queue: NotificationQueue
    settings: Notify

    def run(self, now: datetime) -> int:
        """Deliver what is due; returns how many rows were tried."""
        with self.database.write() as conn:
            rows = outbox.claim(conn, now)
        held_by_notifier: dict[str, list[PendingMessage]] = defaultdict(list)
        for row in rows:
            if row.held_by is not None and row.held_by in row.notifiers:
                held_by_notifier[row.held_by].append(row)
            else:
                self._send_message(self._prepare_message(row, now), now)
        for name, group in held_by_notifier.items():
            for prepared in self._prepare_held(name, group, now):
                self._send_message(prepared, now)
        return len(rows)

    def _send_message(self, prepared: PreparedMessage | None, now: datetime) -> None:
        if prepared is not None:
            self._record_result(prepared, attempt(prepared.notifier, prepared.notification), now)

    def _prepare_message(self, row: PendingMessage, now: datetime) -> PreparedMessage | None:
        with self.database.write() as conn:
            if not outbox.is_pending(conn, row.id):
                return None
            incident = incidents.get(conn, str(row.incident_id))
            state = notification_state.load_state(conn, row.incident_id, excluded_id=row.id).get(
                row.route, NotificationState()
            )
            if not still_relevant(row.reason, incident, state):
                outbox.close(conn, row.id, "cancelled", now, "it was no longer worth saying")
                self._add_timeline_entry(
                    conn, row, now, f"{_MESSAGE_LABELS[row.reason]} not sent", "no longer worth saying"
                )
                return None
            if (until := self._find_quiet_end(row.route, incident, now)) is not None:
                outbox.defer(conn, row, until)
                self._add_timeline_entry(
                    conn, row, now, f"held back until {_format_time(until)}", "quiet hours"
                )
                return None
            members = alerts.load_by_incident(conn, [row.incident_id])[row.incident_id]
            position = pick_notifier(
                row.notifiers, row.position, _find_broken_components(incident, members), self.notifiers
            )
            if position is None:
                outbox.close(conn, row.id, "given up", now, "no notifier of the route can speak")
                self._add_timeline_entry(
                    conn, row, now, "nobody could be told", "no notifier of the route can speak"
                )
                log.error("incident %s: no notifier of route %s can speak", row.incident_id, row.route)
                self._end_drill(conn, incident, now)
                return None
            name = row.notifiers[position]
            if skipped := row.notifiers[row.position : position]:
                reason = "what it stands on is broken, or no plugin offers it"
                self._add_timeline_entry(conn, row, now, f"{', '.join(skipped)} passed over", reason)
            if (until := self._find_rate_limit_end(conn, name, incident, now)) is not None:
                outbox.defer(conn, row, until, position, held_by=name)
                if row.held_by is None:
                    what = f"held back until {_format_time(until)}"
                    self._add_timeline_entry(
                        conn, row, now, what, f"{name} has sent as many messages as it may"
                    )
                log.warning(
                    "incident %s: notifier %s has had its limit; held back until %s",
                    row.incident_id, name, until.isoformat(timespec="seconds"),
                )  # fmt: skip
                return None
            outbox.mark_sending(conn, row.id, incident.fault, incident.priority)
            worse = (
                state.notified_priority is not None and incident.priority.rank > state.notified_priority.rank
            )
            notification, report = self.composer.compose(conn, row, incident, now, worse=worse)
        return PreparedMessage(
            [row], position, self.notifiers[name], notification, report.model_dump(mode="json")
        )

    def _add_timeline_entry(
        self, conn: sa.Connection, row: PendingMessage, now: datetime, what: str, reason: str
    ) -> None:
        incidents.add_timeline_entry(conn, row.incident_id, now, f"route {row.route}: {what}", reason=reason)

    def _find_quiet_end(self, route: str, incident: Incident, now: datetime) -> datetime | None:
        """The end of the route's quiet hours, None where it may speak."""
        route_settings = self.settings.by_name.get(route)
        quiet = route_settings.quiet_hours if route_settings is not None else None
        if quiet is None or incident.drill or incident.priority in quiet.excepted:
            return None
        return quiet.hours.quiet_until(now)

    def _find_rate_limit_end(
        self, conn: sa.Connection, name: str, incident: Incident, now: datetime
    ) -> datetime | None:
        """When the notifier may send again, None where it may now."""
        limit = self._find_limit(name)
        if limit is None or incident.drill or incident.priority in limit.excepted:
            return None
        sent = outbox.list_sent_since(conn, name, now - timedelta(seconds=limit.per))
        free_from = earliest_send_time(sent, now, limit.maximum, limit.per)
        return free_from if free_from > now else None

    def _find_limit(self, name: str) -> NotifierLimit | None:
        if name in self.settings.limits:
            return self.settings.limits[name]
        notifier = self.notifiers.get(name)
        return None if notifier is None or notifier.last_resort else self.settings.default_limit

    def _prepare_held(
        self, name: str, due: Sequence[PendingMessage], now: datetime
    ) -> list[PreparedMessage | None]:
        """One message for all that the limit of a notifier held back, where it may speak again."""
        with self.database.write() as conn:
            rows = [*due, *outbox.claim_held(conn, name, now)]
            incident_by_row = {row.id: incidents.get(conn, str(row.incident_id)) for row in rows}
            open_rows = [row for row in rows if incident_by_row[row.id].status is IncidentStatus.OPEN]
            incident_ids = {incident_by_row[row.id].stored_id for row in open_rows}
            sendable = [
                row
                for row in rows
                if self._find_rate_limit_end(conn, name, incident_by_row[row.id], now) is None
            ]
            if len(incident_ids) > 1 and len(sendable) == len(rows) and name in self.notifiers:
                return [self._prepare_digest(conn, name, rows, incident_by_row, now)]
            for row in rows:
                if row not in sendable:
                    until = self._find_rate_limit_end(conn, name, incident_by_row[row.id], now) or now
                    outbox.defer(conn, row, until, held_by=name)
        return [self._prepare_message(row, now) for row in sendable]

    def _prepare_digest(
        self,
        conn: sa.Connection,
        name: str,
        rows: Sequence[PendingMessage],
        incident_by_row: Mapping[int, Incident],
        now: datetime,
    ) -> PreparedMessage | None:
        relevant = [
            row for row in rows if still_relevant(row.reason, incident_by_row[row.id], NotificationState())
        ]
        resolved_rows = [row for row in rows if incident_by_row[row.id].status is IncidentStatus.RESOLVED]
        for row in rows:
            if row not in relevant and row not in resolved_rows:
                outbox.close(conn, row.id, "cancelled", now, "it was no longer worth saying")
        current_rows = [row for row in relevant if row not in resolved_rows]
        incident_by_id = {
            incident_by_row[row.id].stored_id: incident_by_row[row.id]
            for row in (*current_rows, *resolved_rows)
        }
        ordered = sorted(incident_by_id.values(), key=_get_urgency_key)
        for row in current_rows:
            outbox.mark_sending(conn, row.id, incident_by_row[row.id].fault, incident_by_row[row.id].priority)
        lead = next(row for row in current_rows if incident_by_row[row.id].stored_id == ordered[0].stored_id)
        since = min(incident_by_row[row.id].opened_at for row in (*current_rows, *resolved_rows))
        position = lead.notifiers.index(name)
        rest = [row for row in current_rows if row is not lead]
        notification = self.composer.compose_digest(lead, ordered, since)
        return PreparedMessage(
            [lead, *rest], position, self.notifiers[name], notification, resolved_rows=resolved_rows
        )

    def _record_result(self, prepared: PreparedMessage, result: AttemptResult, now: datetime) -> None:
        error = self.composer.mask.mask_text(result.error) if result.error is not None else None
        with self.database.write() as conn:
            outbox.add_log_entry(conn, _build_log_row(prepared, result, error, now))
            for row in prepared.rows:
                if error is None:
                    self._mark_sent(conn, prepared, row, now)
                else:
                    self._handle_failure(conn, prepared, row, result, error, now)
            for row in prepared.resolved_rows:
                outbox.close(conn, row.id, "cancelled", now, "it was over before it was said")
                if error is None:
                    self._add_timeline_entry(
                        conn,
                        row,
                        now,
                        f"told by {prepared.notifier.name} that it was, and is over",
                        _DIGEST_REASON,
                    )
            incident = incidents.get(conn, str(prepared.rows[0].incident_id))
            self._end_drill(conn, incident, now)

    def _mark_sent(
        self, conn: sa.Connection, prepared: PreparedMessage, row: PendingMessage, now: datetime
    ) -> None:
        outbox.close(conn, row.id, "sent", now)
        what = f"{_MESSAGE_LABELS[row.reason]} sent by {prepared.notifier.name}"
        if prepared.notification.reason is NotifyReason.DIGEST:
            what += f", in one message with {len(prepared.notification.incidents) - 1} others"
        incidents.add_timeline_entry(conn, row.incident_id, now, what, reason=f"route {row.route}")
        log.info("incident %s: %s", row.incident_id, what)

    def _handle_failure(
        self,
        conn: sa.Connection,
        prepared: PreparedMessage,
        row: PendingMessage,
        result: AttemptResult,
        error: str,
        now: datetime,
    ) -> None:
        name = prepared.notifier.name
        attempts = row.attempts if prepared.position == row.position else 0
        retry = plan_retry(
            result,
            position=prepared.position,
            attempts=attempts,
            notifiers=len(row.notifiers),
            max_attempts=self.settings.retry_attempts,
        )
        if retry is None:
            outbox.close(conn, row.id, "given up", now, error)
            self._add_timeline_entry(conn, row, now, f"{name} failed, and nobody could be told", error)
            log.error(
                "incident %s: notifier %s failed and no other is left: %s", row.incident_id, name, error
            )
            return
        outbox.schedule_retry(
            conn,
            row.id,
            due_at=now + timedelta(seconds=retry.delay_s),
            position=retry.position,
            attempts=retry.attempts,
            error=error,
            held_by=row.held_by if retry.position == prepared.position else None,
        )
        next_step = (
            f"again in {retry.delay_s:g} s"
            if retry.position == prepared.position
            else f"{row.notifiers[retry.position]} takes over"
        )
        self._add_timeline_entry(conn, row, now, f"{name} failed; {next_step}", error)
        log.warning("incident %s: notifier %s failed: %s; %s", row.incident_id, name, error, next_step)

    def _end_drill(self, conn: sa.Connection, incident: Incident, now: datetime) -> None:
        """A drill is over when all of its messages have come or failed."""
        incident_id = incident.row_id
        if (
            incident.drill
            and incident.status is IncidentStatus.OPEN
            and not outbox.has_pending(conn, incident_id)
        ):
            actor, reason = incidents.SYSTEM_ACTOR, "the drill is over"
            close_incident(conn, incident, now, self.notification_queue, actor=actor, reason=reason)


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _get_urgency_key(incident: Incident) -> tuple[bool, int, int]:
    is_open = incident.status is IncidentStatus.OPEN
    return not is_open, -incident.priority.rank, incident.row_id


def _find_broken_components(incident: Incident, members: Sequence[Alert]) -> frozenset[str]:
    """The components that the incident is about; none once it is over, or where nothing happened."""
    if incident.status is not IncidentStatus.OPEN or incident.drill:
        return frozenset()
    return frozenset(alert.component for alert in members if alert.component is not None and alert.active)


def _build_log_row(
    prepared: PreparedMessage, result: AttemptResult, error: str | None, now: datetime
) -> dict[str, Any]:
    notification, row = prepared.notification, prepared.rows[0]
    return {
        "incident_id": row.incident_id,
        "outbox_id": row.id,
        "at": now,
        "reason": notification.reason.value,
        "notifier": prepared.notifier.name,
        "status": "sent" if error is None else "failed",
        "code": notification.code,
        "severity": notification.severity.value,
        "priority": notification.priority.value,
        "text": notification.text,
        "reference": result.reference,
        "error": error,
        "maybe_repeat": notification.maybe_repeat,
        "intelligence": dict(prepared.intelligence),
    }
