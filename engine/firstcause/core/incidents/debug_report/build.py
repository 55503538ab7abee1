"""Builds the debug report of an incident from its alerts, the catalog and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.catalog import Fix, Verify
from firstcause.core.incidents.alert_parts import describe_parts
from firstcause.core.incidents.debug_report.model import (
    CascadeFailure,
    Cause,
    DebugReport,
    Dependencies,
    ErrorSource,
    RelatedError,
    TimelineEntry,
)
from firstcause.core.model import Role, Source, VerdictKind
from firstcause.core.root_cause.attribution import strongest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog, Entry
    from firstcause.core.health.comparison import AssessedDifference
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.model import Alert, Incident, Verdict


def build_debug_report(
    incident: Incident,
    members: Sequence[Alert],
    catalog: Catalog,
    now: datetime,
    *,
    timeline: Iterable[Mapping[str, Any]] = (),
    changes: Sequence[AssessedDifference] = (),
    suggestions: Sequence[Suggestion] = (),
) -> DebugReport:
    """Build the debug report of an incident.

    members: all alerts of the incident, roots and cascades.
    timeline: rows with the keys of `TimelineEntry`.
    changes: differences from the last known good state, the likeliest cause first.
    suggestions: fixes that helped in earlier incidents, the best first.
    """
    ordered = sorted(
        members, key=lambda alert: (alert.role is not Role.ROOT, alert.first_seen, alert.fingerprint)
    )
    root_alerts = [alert for alert in ordered if alert.role is Role.ROOT]
    lead = root_alerts[0] if root_alerts else None
    entry = catalog.get(incident.root.code)
    sample = lead.sample if lead else None
    return DebugReport(
        incident=str(incident.stored_id),
        status=incident.status,
        code=incident.root.code,
        title=incident.title,
        catalogued=entry is not None,
        category=entry.category.value if entry else None,
        severity=incident.severity.value,
        component=entry.component if entry else None,
        generated_at=now,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        flapping=incident.flapping,
        events=sum(alert.count for alert in members),
        message=sample.message if sample else None,
        details=sample.details if sample else {},
        stack=next((alert.sample.stack for alert in ordered if alert.sample and alert.sample.stack), None),
        error_source=_find_source(ordered),
        dependencies=_build_dependencies(incident, root_alerts, ordered),
        impact=incident.impact,
        fix=entry.fix if entry else Fix(),
        reproduce=entry.reproduce if entry else (),
        verify=entry.verify if entry else Verify(),
        docs=entry.docs if entry else None,
        common_causes=entry.common_causes if entry else (),
        related=_build_related(entry, catalog, {alert.code for alert in members}),
        timeline=tuple(TimelineEntry.model_validate(dict(row)) for row in timeline),
        changes=tuple(changes),
        suggestions=tuple(suggestions),
        parts=tuple(describe_parts(ordered)),
    )


def _find_source(ordered: Iterable[Alert]) -> ErrorSource | None:
    """Find the root's place in the code, else that of the first cascade that reports one.

    A root that a probe reported has no place in the code.
    """
    for alert in ordered:
        source = alert.sample.source if alert.sample else None
        if source is not None and source != Source():
            return ErrorSource(**source.model_dump(), code=alert.code)
    return None


def find_root_verdict(incident: Incident, root_alerts: Iterable[Alert]) -> Verdict | None:
    """Find the strongest verdict that names the incident's current root as a root cause.

    Verdicts about an earlier root of the incident do not count. None if no rule gave a verdict.
    """
    root_causes = (alert for alert in root_alerts if alert.fault == incident.fault)
    return strongest((verdict for alert in root_causes for verdict in alert.verdicts), VerdictKind.ROOT_CAUSE)


def _build_dependencies(
    incident: Incident, root_alerts: Sequence[Alert], ordered: Sequence[Alert]
) -> Dependencies:
    cascades = [alert for alert in ordered if alert.role is Role.CASCADE]
    codes = {alert.fingerprint: alert.code for alert in ordered}
    return Dependencies(
        is_cascade=False,
        root_cause=_build_cause(incident, root_alerts),
        cascade_failures=_build_cascade_failures(cascades, codes),
        affected_services=_sorted_names(alert.service for alert in ordered),
    )


def _build_cause(incident: Incident, root_alerts: Sequence[Alert]) -> Cause:
    verdict = find_root_verdict(incident, root_alerts)
    if verdict is None:
        return Cause(code=incident.root.code, title=incident.title)
    return Cause(
        code=incident.root.code,
        title=incident.title,
        because=verdict.because,
        confidence=verdict.confidence,
        rule=verdict.rule,
        file=verdict.file,
        line=verdict.line,
    )


def _build_cascade_failures(
    cascades: Sequence[Alert], codes: Mapping[str, str]
) -> tuple[CascadeFailure, ...]:
    by_code: dict[str, list[Alert]] = {}
    for alert in cascades:
        by_code.setdefault(alert.code, []).append(alert)
    return tuple(
        CascadeFailure(
            code=code,
            title=alerts[0].title,
            count=sum(alert.count for alert in alerts),
            companies=_sorted_names(alert.tenant for alert in alerts),
            services=_sorted_names(alert.service for alert in alerts),
            caused_by=codes.get(alerts[0].caused_by or ""),
        )
        for code, alerts in by_code.items()
    )


def _sorted_names(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _build_related(entry: Entry | None, catalog: Catalog, active: set[str]) -> tuple[RelatedError, ...]:
    related_errors = []
    for code in entry.related if entry else ():
        related_entry = catalog.get(code)
        related_errors.append(
            RelatedError(
                code=code, title=related_entry.title if related_entry else None, active=code in active
            )
        )
    return tuple(related_errors)
