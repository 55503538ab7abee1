"""Incidents as lists show them: few questions to the store, however many errors stand behind them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Role, VerdictKind
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.timestamps import format_time
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Alert, Incident

_SIMILAR = 5


def rows(conn: sa.Connection, catalog: Catalog, found: Sequence[Incident]) -> list[dict[str, Any]]:
    """Incidents in that order, each with its cascades folded by code."""
    numbers = [each.stored_id for each in found if each.stored_id is not None]
    if not numbers:
        return []
    counted: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in incidents.counted(conn, numbers):
        counted[each["incident_id"]].append(each)
    leading = alerts.leading(conn, numbers)
    return [
        _row(each, counted[each.stored_id], leading.get(each.stored_id), catalog)
        for each in found
        if each.stored_id is not None
    ]


def _row(
    incident: Incident, counted: Sequence[Mapping[str, Any]], lead: Alert | None, catalog: Catalog
) -> dict[str, Any]:
    entry = catalog.get(incident.root.code)
    said = strongest(lead.verdicts, VerdictKind.ROOT_CAUSE) if lead is not None else None
    cascades = [dict(each) for each in counted if each["role"] == Role.CASCADE.value]
    return {
        "id": str(incident.stored_id),
        "status": incident.status.value,
        "title": incident.title,
        "root": incident.root.model_dump(),
        "component": entry.component if entry else (lead.component if lead else None),
        "priority": incident.priority.value,
        "severity": incident.severity.value,
        "impact": incident.impact.model_dump(mode="json"),
        "opened_at": format_time(incident.opened_at),
        "resolved_at": format_time(incident.resolved_at),
        "lasted": (incident.resolved_at - incident.opened_at).total_seconds()
        if incident.resolved_at
        else None,
        "acknowledged_by": incident.acknowledged_by,
        "suppressed": incident.suppressed,
        "drill": incident.drill,
        "fix": incident.fix,
        "events": sum(each["events"] for each in counted),
        "cascades": cascades,
        "because": said.because if said else None,
        "confidence": said.confidence if said else None,
        "message": lead.sample.message if lead is not None and lead.sample else None,
        "first_step": entry.fix.steps[0] if entry and entry.fix.steps else None,
    }


def by_urgency(found: Sequence[Incident]) -> list[Incident]:
    """The most urgent first, of equal ones the oldest."""
    return sorted(found, key=lambda each: (-each.priority.rank, -each.severity.rank, each.opened_at))


def similar(conn: sa.Connection, catalog: Catalog, incident: Incident) -> list[dict[str, Any]]:
    """Past incidents like this one: those of the same root first, then those of its component."""
    number, code = incident.row_id, incident.root.code
    found = incidents.resolved_with(conn, [code], number, _SIMILAR)
    entry = catalog.get(code)
    if len(found) < _SIMILAR and entry is not None:
        kin = [each.code for each in catalog.entries.values() if each.component == entry.component]
        others = [each for each in kin if each != code]
        found += incidents.resolved_with(conn, others, number, _SIMILAR - len(found))
    return rows(conn, catalog, found)
