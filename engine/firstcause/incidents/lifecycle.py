"""How an incident ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from firstcause.core.model import IncidentStatus
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Incident

log = logging.getLogger("firstcause.incidents")


class Announcer(Protocol):
    """Whoever has the end of an incident said."""

    def announce(
        self, conn: sa.Connection, incident: Incident, components: Collection[str], now: datetime
    ) -> None: ...


def close_incident(
    conn: sa.Connection, incident: Incident, now: datetime, announcer: Announcer, *, actor: str, reason: str
) -> Incident:
    """Resolve an incident and its alerts, and have it said once."""
    number = incident.row_id
    over = incident.model_copy(update={"status": IncidentStatus.RESOLVED, "resolved_at": now})
    incidents.save(conn, over)
    components = {each.component for each in alerts.of_incidents(conn, [number])[number] if each.component}
    alerts.end(conn, number, now)
    incidents.note(conn, number, now, "resolved, with its cascades", reason=reason, actor=actor)
    announcer.announce(conn, over, components, now)
    log.info("incident %s resolved: %s", number, reason)
    return over
