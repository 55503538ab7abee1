"""Drills: a marked test alert through the whole pipeline, to see whether the phone rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event, IncidentStatus
from firstcause.errors import NotFoundError
from firstcause.incidents.actions import record_audit
from firstcause.notify.queue import ROUTE_TAG
from firstcause.store import incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.store.database import Database

DRILL_CODE = "FIRSTCAUSE_DRILL"
"""The code of a drill if the caller names none."""


def build_drill_event(
    code: str, route: str | None, catalog: Catalog, routes: Collection[str], now: datetime, event_id: str
) -> Event:
    """Build the event of a drill. Raises NotFoundError if the entry or the route does not exist.

    route: the route to test, None for the routes that match.
    """
    entry = catalog.get(code)
    if entry is None:
        msg = f"no catalog entry {code!r}; `firstcause catalog list` has them, and any will do"
        raise NotFoundError(msg)
    if route is not None and route not in routes:
        available = ", ".join(routes) or "none; without routes there is nothing to name"
        msg = f"no route {route!r} in [[notify.routes]]; there are: {available}"
        raise NotFoundError(msg)
    tags = {ROUTE_TAG: route} if route is not None else {}
    return Event(id=event_id, time=now, code=code, message="This is a drill.", tags=tags, drill=True)


def record_sender(database: Database, now: datetime, actor: str, route: str | None) -> None:
    """Add to the audit log who sent a drill."""
    record_audit(database, now, actor, "sent a drill", about=f"route {route}")


def get_drill_outcome(database: Database, event_id: str) -> dict[str, Any]:
    """Return the outcome of a drill so far, as `drill --json` shows it. over: whether it has ended."""
    with database.read() as conn:
        incident_id = incidents.find_by_event(conn, event_id)
        if incident_id is None:
            empty: dict[str, Any] = {"incident": None, "code": None, "routes": [], "tries": []}
            return empty | {"over": False, "delivered": False}
        incident = incidents.get(conn, str(incident_id))
        routes = outbox.list_outcomes(conn, incident_id)
        attempts = incidents.load_notifications(conn, incident_id)
    return {
        "incident": str(incident_id),
        "code": incident.root.code,
        "routes": routes,
        "tries": [
            {name: attempt[name] for name in ("notifier", "status", "reference", "error", "text")}
            for attempt in attempts
        ],
        "over": incident.status is not IncidentStatus.OPEN,
        "delivered": bool(routes) and all(route["outcome"] == "sent" for route in routes),
    }
