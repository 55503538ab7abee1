"""What rules see, as flat facts: alerts, edges, readings and more. docs/rules.md lists the fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Severity
from firstcause.core.root_cause.attribution import Candidate, find_candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Alert, Fact, Reading
    from firstcause.core.notify.silences import FullMatch, Silence
    from firstcause.core.root_cause.graphs import CauseGraph


def count_affected_tenants(active: Iterable[Alert]) -> dict[str, int]:
    """Fault -> how many tenants report it; asked once for all scopes, since a scope sees only its own."""
    tenants_by_fault: dict[str, set[str]] = {}
    for alert in active:
        if alert.tenant is not None:
            tenants_by_fault.setdefault(alert.fault, set()).add(alert.tenant)
    return {fault: len(tenants) for fault, tenants in tenants_by_fault.items()}


def scope_facts(
    visible_alerts: Sequence[Alert],
    graph: CauseGraph,
    catalog: Catalog,
    affected_tenants: Mapping[str, int],
    now: datetime,
) -> list[Fact]:
    """The alert and edge facts of one scope."""
    facts = [
        alert_fact(alert, catalog, affected_tenants.get(alert.fault, 0), now) for alert in visible_alerts
    ]
    return facts + [edge_fact(candidate) for candidate in find_candidates(visible_alerts, graph)]


def alert_fact(alert: Alert, catalog: Catalog, affected_tenants: int, now: datetime) -> Fact:
    fact: Fact = {
        "kind": "alert",
        "id": alert.fingerprint,
        "state": "active",
        "code": alert.code,
        "title": alert.title,
        "severity": alert.severity.value,
        "catalogued": alert.catalogued,
        "count": alert.count,
        "tenants_hit": affected_tenants,
        "age_s": (now - alert.first_seen).total_seconds(),
        "tenant": alert.tenant,
        "service": alert.service,
        "component": alert.component,
        "probe": alert.probe,
        "message": alert.sample.message if alert.sample else None,
    }
    features = catalog.features_of(alert.service) or catalog.features_of(alert.component)
    if features:
        fact["component_features"] = list(features)
    entry = catalog.get(alert.code)
    if entry is not None:
        fact |= {
            "category": entry.category.value,
            "customer_facing": entry.customer_facing,
            "priority": entry.impact.priority.value,
            "revenue": entry.impact.revenue.value,
            "tenants": entry.impact.tenants.value,
            "features": list(entry.impact.features),
        }
    return {name: value for name, value in fact.items() if value is not None}


def dependency_fact(caller: str, callee: str) -> Fact:
    return {"kind": "dependency", "id": f"dependency:{caller}:{callee}", "component": caller, "on": callee}


def edge_fact(candidate: Candidate) -> Fact:
    cause, effect = candidate.cause, candidate.effect
    return {
        "kind": "edge",
        "id": f"edge:{cause.fingerprint}:{effect.fingerprint}",
        "cause": cause.fingerprint,
        "effect": effect.fingerprint,
        "cause_code": cause.code,
        "effect_code": effect.code,
        "hops": candidate.hops,
        "best": candidate.is_best,
        "scope": "platform" if cause.tenant is None else "tenant",
        "lag_s": candidate.lag_s,
    }


def reading_fact(probe: str, component: str, reading: Reading) -> Fact:
    fact: Fact = {
        "kind": "reading",
        "id": f"reading:{probe}",
        "probe": probe,
        "component": component,
        "status": reading.status.value,
        "detail": reading.detail,
    }
    if reading.latency_ms is not None:
        fact["latency_ms"] = reading.latency_ms
    return fact


def metric_facts(probe: str, component: str, reading: Reading) -> list[Fact]:
    """The numbers among a reading's data, each a fact."""
    return [
        {
            "kind": "metric",
            "id": f"metric:{probe}:{name}",
            "name": name,
            "probe": probe,
            "component": component,
            "value": value,
        }
        for name, value in reading.data.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


@dataclass(frozen=True)
class Change:
    """Something that is not as it was. category: as of a difference. name: setting, probe."""

    category: str
    component: str | None
    name: str
    before: str
    after: str
    changed_at: datetime


def change_fact(change: Change, now: datetime) -> Fact:
    fact: Fact = {
        "kind": "change",
        "id": f"change:{change.category}:{change.name}:{change.changed_at.timestamp()}",
        "category": change.category,
        "name": change.name,
        "before": change.before,
        "after": change.after,
        "age_s": (now - change.changed_at).total_seconds(),
    }
    return fact if change.component is None else fact | {"component": change.component}


def tenant_fact(name: str, tenant_alerts: Sequence[Alert]) -> Fact:
    """own: the tenant's active alerts."""
    return {
        "kind": "tenant",
        "id": f"tenant:{name}",
        "name": name,
        "alerts": len(tenant_alerts),
        "codes": len({alert.code for alert in tenant_alerts}),
        "critical": sum(alert.severity is Severity.CRITICAL for alert in tenant_alerts),
    }


@dataclass(frozen=True)
class CodeHistory:
    """What the store knows of a code. seen: occurrences ever; incidents: resolved ones that it was root of.

    last_resolved, last_fix: of the latest of these; None where there is none.
    """

    code: str
    occurrences: int
    first_seen: datetime
    incidents: int = 0
    last_resolved: datetime | None = None
    last_fix: str | None = None


def history_facts(histories: Iterable[CodeHistory], now: datetime) -> list[Fact]:
    return [_history_fact(history, now) for history in histories]


def _history_fact(history: CodeHistory, now: datetime) -> Fact:
    fact: Fact = {
        "kind": "history",
        "id": f"history:{history.code}",
        "code": history.code,
        "seen": history.occurrences,
        "known_s": (now - history.first_seen).total_seconds(),
        "incidents": history.incidents,
        "last_fix": history.last_fix,
        "resolved_s": (now - history.last_resolved).total_seconds() if history.last_resolved else None,
    }
    return {name: value for name, value in fact.items() if value is not None}


def silence_facts(active: Iterable[Alert], silences: Sequence[Silence], full_match: FullMatch) -> list[Fact]:
    """One for each pair of an alert and a silence that fits it."""
    return [
        _silence_fact(alert, silence)
        for silence in silences
        for alert in active
        if silence.matches(alert, full_match)
    ]


def _silence_fact(alert: Alert, silence: Silence) -> Fact:
    fact: Fact = {
        "kind": "silence",
        "id": f"silence:{silence.silence_id}:{alert.fingerprint}",
        "silence": str(silence.silence_id),
        "alert": alert.fingerprint,
        "code": alert.code,
        "tenant": alert.tenant,
        "service": alert.service,
        "component": alert.component,
        "by": silence.created_by,
        "comment": silence.comment or "no comment",
    }
    return {name: value for name, value in fact.items() if value is not None}


def past_root_facts(counts: Mapping[str, int]) -> list[Fact]:
    """counted: component -> of how many incidents it was the root of late."""
    return [
        {"kind": "past_root", "id": f"past_root:{name}", "component": name, "incidents": count}
        for name, count in sorted(counts.items())
    ]


def env_facts(presence: Mapping[str, bool]) -> list[Fact]:
    """presence: name of an environment variable -> whether it is set. Values never become facts."""
    return [
        {"kind": "env", "id": f"env:{name}", "name": name, "present": present}
        for name, present in sorted(presence.items())
    ]
