"""Which incidents the active alerts make: opened, joined, adopted by a root that came late, merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import (
    Alert,
    Impact,
    Incident,
    Priority,
    Revenue,
    Root,
    TenantScope,
    Verdict,
    VerdictKind,
)
from firstcause.core.root_cause.attribution import root_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class AlertGroup:
    """The alerts of one incident-to-be. target: the open incident that it continues, None to open one.

    roots: those of its members that nothing caused.
    absorbed: open incidents whose alerts all went here, and which therefore live on in this one.
    """

    fault: str
    members: tuple[str, ...]
    roots: tuple[str, ...]
    target: int | None
    absorbed: tuple[int, ...] = ()


def group_alerts(
    alerts: Mapping[str, Alert], causes: Mapping[str, str | None], open_incidents: Sequence[Incident]
) -> list[AlertGroup]:
    """Alerts by the fault at the top of their chain of causes, each matched to an open incident.

    An incident continues where its own root fault is a root still; else where its alerts went, which is
    how a root that arrives after its cascades adopts the incident that they opened.
    """
    members: dict[str, list[str]] = {}
    for name in alerts:
        members.setdefault(alerts[root_of(name, causes)].fault, []).append(name)
    by_fault = {incident.fault: incident.stored_id for incident in open_incidents}
    targets = {fault: by_fault[fault] for fault in members if by_fault.get(fault) is not None}
    continued = set(targets.values())
    orphans = [
        incident
        for incident in sorted(open_incidents, key=_opening_order)
        if incident.stored_id not in continued
    ]
    absorbed: dict[str, list[int]] = {}
    for incident in orphans:
        successor = _find_successor(incident, alerts, members)
        if successor is None or incident.stored_id is None:
            continue
        if successor in targets:
            absorbed.setdefault(successor, []).append(incident.stored_id)
        else:
            targets[successor] = incident.stored_id
    return [
        AlertGroup(
            fault=fault,
            members=tuple(names),
            roots=tuple(name for name in names if causes[name] is None),
            target=targets.get(fault),
            absorbed=tuple(absorbed.get(fault, ())),
        )
        for fault, names in members.items()
    ]


def _opening_order(incident: Incident) -> tuple[datetime, int]:
    return incident.opened_at, incident.stored_id or 0


def _find_successor(
    incident: Incident, alerts: Mapping[str, Alert], members: Mapping[str, Sequence[str]]
) -> str | None:
    """The group that holds an alert of the incident's former root fault, else most of its alerts."""
    votes: dict[str, int] = {}
    for fault, names in members.items():
        for name in names:
            if alerts[name].fault == incident.fault:
                return fault
            if alerts[name].incident_id == incident.stored_id:
                votes[fault] = votes.get(fault, 0) + 1
    return max(votes, key=lambda fault: votes[fault]) if votes else None


def summarize_incident(
    members: Sequence[Alert],
    root_alerts: Sequence[Alert],
    verdicts: Mapping[str, Sequence[Verdict]],
    opened_at: datetime,
    known_tenants: int = 0,
    ended_alerts: Sequence[Alert] = (),
) -> Incident:
    """The incident that these alerts make, as it stands now.

    roots: those of its members that began it. known: how many tenants ever reported anything. over: alerts
    of it that ended; whom it hit it has hit.
    """
    lead = min(root_alerts, key=lambda alert: (alert.tenant is not None, alert.first_seen, alert.fingerprint))
    impact = combine_impact(members, root_alerts, verdicts, known_tenants, ended_alerts)
    return Incident(
        fault=lead.fault,
        root=Root(
            code=lead.code,
            service=_single_or_none({alert.service for alert in root_alerts}),
            tenant=_single_or_none({alert.tenant for alert in root_alerts}),
        ),
        title=lead.title,
        priority=impact.priority,
        severity=max((alert.severity for alert in members), key=lambda severity: severity.rank),
        impact=impact,
        opened_at=opened_at,
        suppressed=all(_is_suppressed(verdicts.get(alert.fingerprint, ())) for alert in root_alerts),
    )


def _single_or_none(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _is_suppressed(verdicts: Sequence[Verdict]) -> bool:
    return any(verdict.verdict is VerdictKind.SUPPRESS for verdict in verdicts)


def combine_impact(
    members: Sequence[Alert],
    root_alerts: Sequence[Alert],
    verdicts: Mapping[str, Sequence[Verdict]],
    known_tenants: int,
    ended_alerts: Sequence[Alert] = (),
) -> Impact:
    """What the rules said of the alerts together: the worst of each, the root's features first."""
    ordered = [*root_alerts, *(alert for alert in members if alert not in root_alerts)]
    impacts = [
        verdict.impact
        for alert in ordered
        for verdict in verdicts.get(alert.fingerprint, ())
        if verdict.verdict is VerdictKind.IMPACT and verdict.impact is not None
    ]
    features = dict.fromkeys(feature for impact in impacts for feature in impact.features)
    affected = (*members, *ended_alerts)
    companies = sorted({alert.tenant for alert in affected if alert.tenant is not None})
    return Impact(
        priority=max(
            (impact.priority for impact in impacts), key=lambda level: level.rank, default=Priority.P2
        ),
        revenue=max(
            (impact.revenue for impact in impacts), key=lambda level: level.rank, default=Revenue.NONE
        ),
        features=tuple(features),
        tenants=max(
            (impact.tenants for impact in impacts), key=lambda level: level.rank, default=TenantScope.NONE
        ),
        customer_facing=any(impact.customer_facing for impact in impacts),
        companies=tuple(companies),
        companies_known=max(known_tenants, len(companies)),
        components=tuple(sorted(filter(None, {_affected_component(alert) for alert in affected}))),
    )


def _affected_component(alert: Alert) -> str | None:
    """Where it is; what was found by looking at everything, as a comparison does, is nowhere."""
    return alert.service or (alert.component if alert.probe is None else None)
