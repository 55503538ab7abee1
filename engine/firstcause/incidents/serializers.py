"""Answers about incidents as JSON-ready values, with the field names of the contract."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from firstcause.core.incidents.alert_parts import select_differing_labels
from firstcause.core.incidents.flapping import describe_flapping
from firstcause.core.model import Alert, AlertParts, Flapping, Incident, Role
from firstcause.core.text.sizes import format_size
from firstcause.core.text.timestamps import format_time
from firstcause.errors import RuleFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.catalog import Entry
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.rulebase.rulebase import RejectedReload
    from firstcause.rulefiles.load import RuleBook


def serialize_rules(book: RuleBook, rejected: RejectedReload | None) -> dict[str, Any]:
    """Serialize the live rules. rejected: why newer files are not live; None if they are."""
    answer: dict[str, Any] = {
        "files": len(book.files),
        "entries": len(book.catalog.entries),
        "rules": len(book.rules),
        "refused": None,
    }
    if rejected is not None:
        mistakes = rejected.error.mistakes if isinstance(rejected.error, RuleFileError) else ()
        answer["refused"] = {
            "at": format_time(rejected.rejected_at),
            "error": str(rejected.error),
            "mistakes": [vars(mistake) for mistake in mistakes],
        }
    return answer


def serialize_incident(
    incident: Incident,
    members: Sequence[Alert],
    notifications: Sequence[Mapping[str, Any]],
    timeline: Sequence[Mapping[str, Any]],
    entry: Entry | None = None,
    suggestions: Sequence[Suggestion] = (),
) -> dict[str, Any]:
    """Serialize an incident as `incident ID --json` and `GET /api/v1/incidents/{id}` show it.

    entry: the catalog entry of its root. suggestions: earlier fixes, the likeliest first.
    """
    ordered = sorted(members, key=lambda alert: (alert.role is not Role.ROOT, alert.first_seen))
    ids = {alert.fingerprint: str(alert.stored_id) for alert in members}
    return {
        "id": str(incident.stored_id),
        "status": incident.status.value,
        "root": incident.root.model_dump(),
        "priority": incident.priority.value,
        "severity": incident.severity.value,
        "title": incident.title,
        "opened_at": format_time(incident.opened_at),
        "resolved_at": format_time(incident.resolved_at),
        "suppressed": incident.suppressed,
        "acknowledged_at": format_time(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "flapping": _serialize_flapping(incident.flapping),
        "drill": incident.drill,
        "silenced_by": _list_silence_ids(members),
        "fix": incident.fix,
        "how_to_fix": entry.fix.model_dump(mode="json") if entry is not None else None,
        "events": sum(alert.count for alert in members),
        "alerts": [_serialize_alert(alert, ids) for alert in ordered],
        "impact": incident.impact.model_dump(mode="json"),
        "verdicts": _serialize_verdicts(ordered, ids),
        "suggestions": [suggestion.model_dump(mode="json") for suggestion in suggestions],
        "notifications": [_format_times(notification) for notification in notifications],
        "timeline": [_format_times(line) for line in timeline],
    }


def _serialize_flapping(flapping: Flapping | None) -> dict[str, Any] | None:
    if flapping is None:
        return None
    return {**_format_times(dict(flapping)), "text": describe_flapping(flapping)}


def _list_silence_ids(members: Sequence[Alert]) -> list[str]:
    """List the ids of the silences that rules took into account."""
    facts = (
        fact
        for alert in members
        if alert.active
        for verdict in alert.verdicts
        for fact in verdict.facts.values()
    )
    return sorted({str(fact["silence"]) for fact in facts if fact["kind"] == "silence"}, key=int)


def _serialize_alert(alert: Alert, ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": str(alert.stored_id),
        "code": alert.code,
        "catalogued": alert.catalogued,
        "title": alert.title,
        "service": alert.service,
        "tenant": alert.tenant,
        "component": alert.component,
        "severity": alert.severity.value,
        "role": alert.role.value,
        "count": alert.count,
        "first_seen": format_time(alert.first_seen),
        "last_seen": format_time(alert.last_seen),
        "resolved_at": format_time(alert.resolved_at),
        "caused_by": ids.get(alert.caused_by or ""),
        "message": alert.sample.message if alert.sample else None,
        "likeness": alert.sample.likeness if alert.sample else None,
        "parts": _serialize_parts(alert.parts),
        "further_parts": len(alert.parts.folded),
    }


def _serialize_parts(parts: AlertParts) -> list[dict[str, Any]]:
    labels = select_differing_labels(part.labels for part in parts.shown)
    return [
        {
            "labels": part_labels,
            "count": part.count,
            "first_seen": format_time(part.first_seen),
            "last_seen": format_time(part.last_seen),
            "resolved_at": format_time(part.resolved_at),
        }
        for part, part_labels in zip(parts.shown, labels, strict=True)
    ]


def _serialize_verdicts(members: Sequence[Alert], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "rule": verdict.rule,
            "file": verdict.file,
            "line": verdict.line,
            "verdict": verdict.verdict.value,
            "because": verdict.because,
            "confidence": verdict.confidence,
            "alert": ids[alert.fingerprint],
            "code": alert.code,
            "facts": verdict.facts,
        }
        for alert in members
        for verdict in alert.verdicts
    ]


def serialize_suspect(suspect: Suspect) -> dict[str, Any]:
    """Serialize a suspected root with the evidence for and against it, the heaviest first."""
    return {
        "component": suspect.component,
        "confidence": round(suspect.confidence, 3),
        "silent": suspect.silent,
        "for": [
            {"text": term.text, "weight": round(term.weight, 2)} for term in suspect.terms if term.weight > 0
        ],
        "against": [
            {"text": term.text, "weight": round(term.weight, 2)} for term in suspect.terms if term.weight < 0
        ],
    }


def serialize_entry(entry: Entry) -> dict[str, Any]:
    """Serialize a catalog entry with the fields of a rule file."""
    return entry.model_dump(mode="json")


def format_over_limit(excess_bytes: int, max_bytes: int) -> str:
    """Say why the store stays above [store] max_bytes, and the fix. Both in bytes."""
    return (
        f"The store is {format_size(excess_bytes)} over [store] max_bytes ({format_size(max_bytes)}) "
        "and nothing more can be pruned: the rest belongs to active alerts and open incidents. "
        "Resolve incidents that are over, or raise max_bytes."
    )


def _format_times(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()
    }
