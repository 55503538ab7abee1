"""Queues what becomes due with time: reminders, and escalations where nobody acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import (
    NotificationState,
    needs_escalation,
    reminder_due,
    skip_unanswered_downtime,
)
from firstcause.core.text.durations import format_duration
from firstcause.store import daemon_runs, incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import Notify
    from firstcause.core.model import Incident
    from firstcause.store.database import Database


@dataclass(frozen=True)
class DueMessage:
    """A message to queue. note: the reason of an escalation for the timeline, None for a reminder."""

    route: str
    notifiers: tuple[str, ...]
    reason: NotifyReason
    note: str | None = None


@dataclass(frozen=True)
class ReminderScheduler:
    """Queues the reminders and escalations of all open incidents."""

    database: Database
    settings: Notify

    def run(self, now: datetime) -> None:
        with self.database.read() as conn:
            if not any(self._find_all_due(conn, now)):
                return
        # Look again under the write lock, as another process may have queued the same message since.
        with self.database.write() as conn:
            for incident, due in self._find_all_due(conn, now):
                incident_id = incident.row_id
                outbox.add(conn, incident_id, due.reason, now, {due.route: due.notifiers})
                if due.note is not None:
                    incidents.add_timeline_entry(
                        conn, incident_id, now, f"{due.route} is notified too", reason=due.note
                    )

    def _find_all_due(self, conn: sa.Connection, now: datetime) -> Iterator[tuple[Incident, DueMessage]]:
        states_by_incident = notification_state.load_open_states(conn)
        downtimes = daemon_runs.load_downtimes(conn)
        for incident in incidents.load_open(conn):
            states = {
                route: skip_unanswered_downtime(state, downtimes)
                for route, state in states_by_incident.get(incident.row_id, {}).items()
            }
            for due in self._find_due(incident, states, now):
                yield incident, due

    def _find_due(
        self, incident: Incident, states: Mapping[str, NotificationState], now: datetime
    ) -> Iterator[DueMessage]:
        routes = self.settings.by_name
        for name, state in states.items():
            reason = reminder_due(incident, state, now, self.settings.find_repeat_interval(name)).reason
            if reason is not None:
                yield DueMessage(name, state.notifiers, reason)
            route = routes.get(name)
            if route is None or route.escalate_to is None:
                continue
            next_route = route.escalate_to
            escalate_after_s = route.escalate_after
            if needs_escalation(
                incident, state, states.get(next_route, NotificationState()), now, escalate_after_s
            ):
                note = f"{name} could not be notified"
                if state.notified_since is not None:
                    note = f"nobody acknowledged it within {format_duration(escalate_after_s)}"
                yield DueMessage(next_route, routes[next_route].notifiers, NotifyReason.ESCALATED, note)
