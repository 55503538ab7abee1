"""What the store holds, to be used elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.store import event_log, incidents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from firstcause.app.application import Service


def export_events(service: Service, since: datetime | None) -> Iterator[dict[str, Any]]:
    """As they were reported, the oldest first. since: when they were triaged; None for all."""
    with service.database.read() as conn:
        yield from event_log.iter_events(conn, since)


def export_incidents(service: Service, since: datetime | None) -> Iterator[dict[str, Any]]:
    """As `incident ID --json` shows them, the oldest first. since: when they began; None for all."""
    with service.database.read() as conn:
        incident_ids = incidents.list_ids_opened_since(conn, since)
    for incident_id in incident_ids:
        yield service.incident(str(incident_id))
