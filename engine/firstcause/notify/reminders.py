"""What is to be said because time went on: reminders, and the next route where nobody answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import NotifyReason
from firstcause.core.notify.policy import Told, overdue, unanswered
from firstcause.core.text.durations import spoken
from firstcause.store import incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Notify, Route
    from firstcause.core.model import Incident
    from firstcause.store.database import Database


@dataclass(frozen=True)
class _Further:
    """Something to queue: by a route, for a reason. note: a line for the timeline."""

    route: str
    notifiers: tuple[str, ...]
    reason: NotifyReason
    note: str | None = None


@dataclass(frozen=True)
class Reminding:
    """Looks at all open incidents, and queues what is due by now."""

    database: Database
    notify: Notify

    def run(self, now: datetime) -> None:
        with self.database.read() as conn:
            if not any(self._all_due(conn, now)):
                return
        # Looked at anew, as another process may have queued it since.
        with self.database.write() as conn:
            for incident, due in self._all_due(conn, now):
                number = incident.row_id
                outbox.add(conn, number, due.reason, now, {due.route: due.notifiers})
                if due.note is not None:
                    incidents.note(conn, number, now, f"{due.route} is told too", reason=due.note)

    def _all_due(self, conn: sa.Connection, now: datetime) -> Iterator[tuple[Incident, _Further]]:
        told = notification_state.of_open(conn)
        for incident in incidents.still_open(conn):
            for due in self._due(incident, told.get(incident.row_id, {}), now):
                yield incident, due

    def _due(self, incident: Incident, told: Mapping[str, Told], now: datetime) -> Iterator[_Further]:
        routes = self.notify.by_name
        for name, so_far in told.items():
            reason = overdue(incident, so_far, now, self._interval(routes.get(name))).reason
            if reason is not None:
                yield _Further(name, so_far.notifiers, reason)
            route = routes.get(name)
            if route is None or route.escalate_to is None:
                continue
            further = route.escalate_to
            after = route.escalate_after
            if unanswered(incident, so_far, told.get(further, Told()), now, after):
                why = f"{name} could not be told"
                if so_far.since is not None:
                    why = f"nobody acknowledged it within {spoken(after)}"
                yield _Further(further, routes[further].notifiers, NotifyReason.ESCALATED, why)

    def _interval(self, route: Route | None) -> float:
        own = route.repeat_interval if route is not None else None
        return own if own is not None else self.notify.repeat_interval
