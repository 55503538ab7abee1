"""Incidents as lists show them: few questions to the store, however many errors stand behind them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from firstcause.core.incidents.flapping import describe_flapping
from firstcause.core.incidents.incident_filter import find_group
from firstcause.core.model import Role, VerdictKind
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.timestamps import format_time
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Alert, Incident

_MAX_SIMILAR = 5


def build_rows(
    conn: sa.Connection, catalog: Catalog, listed_incidents: Sequence[Incident]
) -> list[dict[str, Any]]:
    """Incidents in that order, each with its cascades folded by code."""
    incident_ids = [incident.stored_id for incident in listed_incidents if incident.stored_id is not None]
    if not incident_ids:
        return []
    counts_by_incident: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in incidents.summarize_alerts(conn, incident_ids):
        counts_by_incident[row["incident_id"]].append(row)
    lead_alerts = alerts.load_lead_roots(conn, incident_ids)
    return [
        _build_row(
            incident, counts_by_incident[incident.stored_id], lead_alerts.get(incident.stored_id), catalog
        )
        for incident in listed_incidents
        if incident.stored_id is not None
    ]


def _build_row(
    incident: Incident, code_counts: Sequence[Mapping[str, Any]], lead: Alert | None, catalog: Catalog
) -> dict[str, Any]:
    entry = catalog.get(incident.root.code)
    verdict = strongest(lead.verdicts, VerdictKind.ROOT_CAUSE) if lead is not None else None
    cascades = [dict(row) for row in code_counts if row["role"] == Role.CASCADE.value]
    return {
        "id": str(incident.stored_id),
        "status": incident.status.value,
        "title": incident.title,
        "root": incident.root.model_dump(),
        "group": find_group(incident),
        "catalogued": entry is not None,
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
        "flapping": describe_flapping(incident.flapping) if incident.flapping is not None else None,
        "suppressed": incident.suppressed,
        "drill": incident.drill,
        "fix": incident.fix,
        "events": sum(row["events"] for row in code_counts),
        "cascades": cascades,
        "because": verdict.because if verdict else None,
        "confidence": verdict.confidence if verdict else None,
        "message": lead.sample.message if lead is not None and lead.sample else None,
        "first_step": entry.fix.steps[0] if entry and entry.fix.steps else None,
    }


def find_similar(conn: sa.Connection, catalog: Catalog, incident: Incident) -> list[dict[str, Any]]:
    """Past incidents like this one: those of the same root first, then those of its component."""
    row_id, code = incident.row_id, incident.root.code
    similar_incidents = incidents.list_resolved_with(conn, [code], row_id, _MAX_SIMILAR)
    entry = catalog.get(code)
    if len(similar_incidents) < _MAX_SIMILAR and entry is not None:
        component_codes = [
            other.code for other in catalog.entries.values() if other.component == entry.component
        ]
        other_codes = [other_code for other_code in component_codes if other_code != code]
        similar_incidents += incidents.list_resolved_with(
            conn, other_codes, row_id, _MAX_SIMILAR - len(similar_incidents)
        )
    return build_rows(conn, catalog, similar_incidents)
