"""Queues the messages that the policy decides on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Incident, IncidentStatus
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState, decide
from firstcause.core.notify.receiver import Knowledge, ReceiverState
from firstcause.notify.routes import match_routes
from firstcause.store import incidents, notification_state, outbox, receiver_states

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config.notify import Route
    from firstcause.hookspecs.types import Notifier

ROUTE_TAG = "firstcause.route"
"""The tag of a drill that names the route to test."""

_ENDED_EARLY_REASON = "it was over before the message was due"


@dataclass(frozen=True)
class NotificationQueue:
    """Queues the messages that the policy decides on.

    group_wait: seconds that the first message about an incident waits.
    """

    routes: Mapping[str, Route]
    notifiers: Mapping[str, Notifier]
    group_wait: float

    def enqueue(
        self,
        conn: sa.Connection,
        incident: Incident,
        components: Collection[str],
        now: datetime,
        doubtful: Collection[tuple[str, str]] = (),
        only_route: str | None = None,
    ) -> None:
        """Queue and cancel messages about an incident that was opened or changed, as the policy decides.

        components: of the alerts of the incident, to match routes.
        doubtful: pairs of faults, a root and the notified root, of which the new root is not certain enough.
        only_route: the route that a drill asks for, None for all routes that match.
        """
        incident_id = incident.row_id
        states = notification_state.load_state(conn, incident_id)
        matching_routes = match_routes(incident, components, self.routes, self.notifiers, only_route)
        for route in {**states, **matching_routes}:
            state = states.get(route, NotificationState())
            sure = (incident.fault, state.notified_fault) not in doubtful
            decision = decide(
                incident,
                state,
                now,
                self.group_wait,
                route_matches=route in matching_routes,
                is_confident=sure,
            )
            if (
                decision.cancel
                and outbox.cancel(conn, incident_id, route)
                and _ended_unnotified(incident, state)
            ):
                incidents.add_timeline_entry(
                    conn, incident_id, now, f"route {route}: nobody was notified", reason=_ENDED_EARLY_REASON
                )
            if decision.reason is None or decision.due_at is None:
                continue
            if decision.advance:
                outbox.advance(conn, incident_id, route, decision.due_at)
            else:
                for notifier_names in self._list_targets(
                    conn, incident, route, decision.reason, state, matching_routes.get(route, state.notifiers)
                ):
                    outbox.add(conn, incident_id, decision.reason, decision.due_at, {route: notifier_names})

    def _list_targets(
        self,
        conn: sa.Connection,
        incident: Incident,
        route: str,
        reason: NotifyReason,
        state: NotificationState,
        notifier_names: Sequence[str],
    ) -> list[tuple[str, ...]]:
        """List the messages to queue for a route, each as its notifiers in order.

        Each notifier whose people know of the incident tells them of its end; others take over only if it
        refuses for good. Any other message is one for the whole route.
        """
        known = state.open_receivers
        others = tuple(name for name in notifier_names if name not in known)
        if reason is not NotifyReason.RESOLVED:
            if not state.resolution_sent:
                return [tuple(notifier_names)]
            # It is open again. Those who missed the end know so already; the others do not.
            return [(*others, *(name for name in notifier_names if name in known))]
        if known:
            return [(name, *others) for name in known]
        # Which notifier sent the message is not recorded: a store of an earlier version.
        told = ReceiverState(Knowledge.OPEN, state.notified_fault)
        receiver_states.save(conn, incident.row_id, route, notifier_names[0], told)
        return [tuple(notifier_names)]


def _ended_unnotified(incident: Incident, state: NotificationState) -> bool:
    return incident.status is IncidentStatus.RESOLVED and state.notified_fault is None
