"""Queues the messages that policy decides on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Incident, IncidentStatus
from firstcause.core.notify.policy import Told, decide
from firstcause.notify.routes import routes_for
from firstcause.store import incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Route
    from firstcause.hookspecs.types import Notifier

ROUTE_TAG = "firstcause.route"
"""The tag of a drill that names the route which it is to test."""

_TOO_SHORT = "it was over before the message was due"


@dataclass(frozen=True)
class Announcer:
    """Queues what policy decides to say. group_wait: seconds."""

    routes: Mapping[str, Route]
    notifiers: Mapping[str, Notifier]
    group_wait: float

    def announce(
        self,
        conn: sa.Connection,
        incident: Incident,
        components: Collection[str],
        now: datetime,
        doubtful: Collection[tuple[str, str]] = (),
        only: str | None = None,
    ) -> None:
        """only: the route that a drill asks for."""
        number = incident.row_id
        told = notification_state.told(conn, number)
        fitting = routes_for(incident, components, self.routes, self.notifiers, only)
        for route in {**told, **fitting}:
            so_far = told.get(route, Told())
            sure = (incident.fault, so_far.said_fault) not in doubtful
            decision = decide(incident, so_far, now, self.group_wait, fits=route in fitting, sure=sure)
            if decision.cancel and outbox.cancel(conn, number, route) and _ended_unsaid(incident, so_far):
                incidents.note(conn, number, now, f"route {route}: nobody was told", reason=_TOO_SHORT)
            if decision.reason is None or decision.due_at is None:
                continue
            if decision.sooner:
                outbox.hasten(conn, number, route, decision.due_at)
            else:
                names = fitting.get(route, so_far.notifiers)
                outbox.add(conn, number, decision.reason, decision.due_at, {route: names})


def _ended_unsaid(incident: Incident, told: Told) -> bool:
    return incident.status is IncidentStatus.RESOLVED and told.said_fault is None
