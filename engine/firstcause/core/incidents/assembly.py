"""Groups active alerts into incidents: new, continued, taken over by a late root, or merged."""

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
    """The alerts of one incident, by fingerprint.

    fault: of the root.
    roots: the members that no other alert caused.
    target: the open incident that the group continues, None to open a new one.
    absorbed: open incidents whose alerts are all in this group now, and which are merged into its incident.
    """

    fault: str
    members: tuple[str, ...]
    roots: tuple[str, ...]
    target: int | None
    absorbed: tuple[int, ...] = ()


def group_alerts(
    alerts: Mapping[str, Alert], causes: Mapping[str, str | None], open_incidents: Sequence[Incident]
) -> list[AlertGroup]:
    """Group alerts by the fault at the top of their chain of causes, and match groups to open incidents.

    An incident continues in the group of its own root fault. If that fault is not a root any more, the
    incident continues in the group that has its alerts. So a root that is reported after its cascades takes
    over the incident that they opened.
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
    """Find the group with an alert of the incident's former root fault, else with most of its alerts."""
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
    """Summarize alerts as an incident, as it is now.

    root_alerts: the members that no other alert caused.
    known_tenants: how many tenants ever reported anything.
    ended_alerts: alerts of the incident that ended. The tenants of these alerts remain affected tenants.
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
    """Combine the impact verdicts of the alerts: the worst of each level, the root's features first."""
    root_names = {alert.fingerprint for alert in root_alerts}
    ordered = [*root_alerts, *(alert for alert in members if alert.fingerprint not in root_names)]
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
    """Return the component that an alert affects.

    An alert of a probe without a service comes from a comparison of all components, and affects none.
    """
    return alert.service or (alert.component if alert.probe is None else None)
