"""What users ask, answered in the words of the contract: plain JSON-ready values."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Alert, Incident, Role
from firstcause.core.text.sizes import spoken
from firstcause.core.text.timestamps import format_time
from firstcause.errors import RuleFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.catalog import Entry
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.rulebase.rulebase import Refused
    from firstcause.rulefiles.load import RuleBook


def rules_answer(book: RuleBook, refused: Refused | None) -> dict[str, Any]:
    """The rules that are live, and where newer files were not taken, why."""
    answer: dict[str, Any] = {
        "files": len(book.files),
        "entries": len(book.catalog.entries),
        "rules": len(book.rules),
        "refused": None,
    }
    if refused is not None:
        mistakes = refused.error.mistakes if isinstance(refused.error, RuleFileError) else ()
        answer["refused"] = {
            "at": format_time(refused.at),
            "error": str(refused.error),
            "mistakes": [vars(each) for each in mistakes],
        }
    return answer


def incident_answer(
    incident: Incident,
    members: Sequence[Alert],
    notifications: Sequence[Mapping[str, Any]],
    timeline: Sequence[Mapping[str, Any]],
    entry: Entry | None = None,
    suggestions: Sequence[Suggestion] = (),
) -> dict[str, Any]:
    """An incident as `incident ID --json` and `GET /api/v1/incidents/{id}` show it.

    entry: of its root. suggestions: what mended it before, the likeliest first.
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
        "drill": incident.drill,
        "silenced_by": _silenced_by(members),
        "fix": incident.fix,
        "how_to_fix": entry.fix.model_dump(mode="json") if entry is not None else None,
        "events": sum(alert.count for alert in members),
        "alerts": [_alert(alert, ids) for alert in ordered],
        "impact": incident.impact.model_dump(mode="json"),
        "verdicts": _verdicts(ordered, ids),
        "suggestions": [each.model_dump(mode="json") for each in suggestions],
        "notifications": [_times(each) for each in notifications],
        "timeline": [_times(each) for each in timeline],
    }


def _silenced_by(members: Sequence[Alert]) -> list[str]:
    """Numbers of the silences that rules took into account."""
    facts = (
        fact
        for alert in members
        if alert.active
        for verdict in alert.verdicts
        for fact in verdict.facts.values()
    )
    return sorted({str(fact["silence"]) for fact in facts if fact["kind"] == "silence"}, key=int)


def _alert(alert: Alert, ids: Mapping[str, str]) -> dict[str, Any]:
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
    }


def _verdicts(members: Sequence[Alert], ids: Mapping[str, str]) -> list[dict[str, Any]]:
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


def suspect_answer(suspect: Suspect) -> dict[str, Any]:
    """A component that may be the root, with what speaks for and against it, heaviest first."""
    return {
        "component": suspect.component,
        "confidence": round(suspect.confidence, 3),
        "silent": suspect.silent,
        "for": [
            {"text": each.text, "weight": round(each.weight, 2)}
            for each in suspect.grounds
            if each.weight > 0
        ],
        "against": [
            {"text": each.text, "weight": round(each.weight, 2)}
            for each in suspect.grounds
            if each.weight < 0
        ],
    }


def entry_answer(entry: Entry) -> dict[str, Any]:
    """A catalog entry with the fields of a rule file."""
    return entry.model_dump(mode="json")


def over_limit(over: int, limit: int) -> str:
    """Why the store stays above [store] max_bytes, and the mend. Both in bytes."""
    return (
        f"what may not go takes {spoken(over)} more than [store] max_bytes, {spoken(limit)}: the events of "
        "active alerts and open incidents, and what is no event; resolve what is over, or raise max_bytes"
    )


def _times(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()
    }
