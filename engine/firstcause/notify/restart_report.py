"""Notifies people of what is still open after firstcause did not run for a while."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState, still_relevant
from firstcause.core.text.durations import format_duration
from firstcause.notify.routes import find_obstacle
from firstcause.store import alerts, incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import Notify
    from firstcause.core.downtime import Downtime
    from firstcause.core.model import Incident
    from firstcause.hookspecs.types import Notifier


@dataclass(frozen=True)
class RestartReport:
    """Queues one message for each route that knows of open incidents."""

    settings: Notify
    notifiers: Mapping[str, Notifier]

    def queue(self, conn: sa.Connection, downtime: Downtime, now: datetime) -> None:
        """Queue the messages, and note the downtime in the timelines of the open incidents."""
        states = notification_state.load_open_states(conn)
        for incident in incidents.load_open(conn):
            what = f"firstcause did not run for {format_duration(downtime.duration_s)}"
            reason = f"until {downtime.ended_at:%Y-%m-%d %H:%M} UTC"
            incidents.add_timeline_entry(conn, incident.row_id, now, what, reason=reason)
            self._queue_reminders(conn, incident, states.get(incident.row_id, {}), now)
        self._combine_due(conn, now)

    def _queue_reminders(
        self,
        conn: sa.Connection,
        incident: Incident,
        states: Mapping[str, NotificationState],
        now: datetime,
    ) -> None:
        for route, state in states.items():
            is_known = state.notified_fault is not None and not state.queued_reasons
            wants_reminders = self.settings.find_repeat_interval(route) > 0
            if is_known and wants_reminders and still_relevant(NotifyReason.REMINDER, incident, state):
                outbox.add(conn, incident.row_id, NotifyReason.REMINDER, now, {route: state.notifiers})

    def _combine_due(self, conn: sa.Connection, now: datetime) -> None:
        """Have the messages of one notifier that are due sent as one."""
        broken = {alert.component for alert in alerts.load_active(conn) if alert.component is not None}
        row_ids: dict[str, list[int]] = defaultdict(list)
        for row_id, notifier_names in outbox.list_untried(conn, now):
            able = (name for name in notifier_names if not find_obstacle(name, broken, self.notifiers, ()))
            if (name := next(able, None)) is not None:
                row_ids[name].append(row_id)
        for notifier_name, ids in row_ids.items():
            if len(ids) > 1:
                outbox.hold(conn, ids, notifier_name)
