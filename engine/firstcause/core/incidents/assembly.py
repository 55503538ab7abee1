"""Which incidents the active alerts make: opened, joined, adopted by a root that came late, merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import (
    Alert,
    Impact,
    Incident,
    Priority,
    Reach,
    Revenue,
    Root,
    Verdict,
    VerdictKind,
)
from firstcause.core.root_cause.attribution import root_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Group:
    """The alerts of one incident-to-be. target: the open incident that it continues, None to open one.

    roots: those of its members that nothing caused.
    absorbed: open incidents whose alerts all went here, and which therefore live on in this one.
    """

    fault: str
    members: tuple[str, ...]
    roots: tuple[str, ...]
    target: int | None
    absorbed: tuple[int, ...] = ()


def group(
    alerts: Mapping[str, Alert], chosen: Mapping[str, str | None], open_incidents: Sequence[Incident]
) -> list[Group]:
    """Alerts by the fault at the top of their chain of causes, each matched to an open incident.

    An incident continues where its own root fault is a root still; else where its alerts went, which is
    how a root that arrives after its cascades adopts the incident that they opened.
    """
    members: dict[str, list[str]] = {}
    for name in alerts:
        members.setdefault(alerts[root_of(name, chosen)].fault, []).append(name)
    by_fault = {each.fault: each.stored_id for each in open_incidents}
    targets = {fault: by_fault[fault] for fault in members if by_fault.get(fault) is not None}
    taken = set(targets.values())
    orphans = [each for each in sorted(open_incidents, key=_age) if each.stored_id not in taken]
    absorbed: dict[str, list[int]] = {}
    for incident in orphans:
        home = _where_it_went(incident, alerts, members)
        if home is None or incident.stored_id is None:
            continue
        if home in targets:
            absorbed.setdefault(home, []).append(incident.stored_id)
        else:
            targets[home] = incident.stored_id
    return [
        Group(
            fault=fault,
            members=tuple(names),
            roots=tuple(name for name in names if chosen[name] is None),
            target=targets.get(fault),
            absorbed=tuple(absorbed.get(fault, ())),
        )
        for fault, names in members.items()
    ]


def _age(incident: Incident) -> tuple[datetime, int]:
    return incident.opened_at, incident.stored_id or 0


def _where_it_went(
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


def headline(
    members: Sequence[Alert],
    roots: Sequence[Alert],
    verdicts: Mapping[str, Sequence[Verdict]],
    opened_at: datetime,
    known: int = 0,
    over: Sequence[Alert] = (),
) -> Incident:
    """The incident that these alerts make, as it stands now.

    roots: those of its members that began it. known: how many tenants ever reported anything. over: alerts
    of it that ended; whom it hit it has hit.
    """
    lead = min(roots, key=lambda alert: (alert.tenant is not None, alert.first_seen, alert.fingerprint))
    impact = combined(members, roots, verdicts, known, over)
    return Incident(
        fault=lead.fault,
        root=Root(
            code=lead.code,
            service=_only({alert.service for alert in roots}),
            tenant=_only({alert.tenant for alert in roots}),
        ),
        title=lead.title,
        priority=impact.priority,
        severity=max((alert.severity for alert in members), key=lambda severity: severity.rank),
        impact=impact,
        opened_at=opened_at,
        suppressed=all(_suppressed(verdicts.get(alert.fingerprint, ())) for alert in roots),
    )


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _suppressed(verdicts: Sequence[Verdict]) -> bool:
    return any(verdict.verdict is VerdictKind.SUPPRESS for verdict in verdicts)


def combined(
    members: Sequence[Alert],
    roots: Sequence[Alert],
    verdicts: Mapping[str, Sequence[Verdict]],
    known: int,
    over: Sequence[Alert] = (),
) -> Impact:
    """What the rules said of the alerts together: the worst of each, the root's features first."""
    ordered = [*roots, *(alert for alert in members if alert not in roots)]
    impacts = [
        verdict.impact
        for alert in ordered
        for verdict in verdicts.get(alert.fingerprint, ())
        if verdict.verdict is VerdictKind.IMPACT and verdict.impact is not None
    ]
    features = dict.fromkeys(feature for impact in impacts for feature in impact.features)
    hit = (*members, *over)
    companies = sorted({alert.tenant for alert in hit if alert.tenant is not None})
    return Impact(
        priority=max((each.priority for each in impacts), key=lambda one: one.rank, default=Priority.P2),
        revenue=max((each.revenue for each in impacts), key=lambda one: one.rank, default=Revenue.NONE),
        features=tuple(features),
        tenants=max((each.tenants for each in impacts), key=lambda one: one.rank, default=Reach.NONE),
        customer_facing=any(each.customer_facing for each in impacts),
        companies=tuple(companies),
        companies_known=max(known, len(companies)),
        components=tuple(sorted(filter(None, {_place(alert) for alert in hit}))),
    )


def _place(alert: Alert) -> str | None:
    """Where it is; what was found by looking at everything, as a comparison does, is nowhere."""
    return alert.service or (alert.component if alert.probe is None else None)
