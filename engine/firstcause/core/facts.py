"""What rules see: alerts, edges, readings and environment as flat facts. docs/rules.md lists the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.attribution import Candidate, candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Alert, Fact, Reading
    from firstcause.core.topology import CauseGraph


def tenants_hit(active: Iterable[Alert]) -> dict[str, int]:
    """Fault -> how many tenants report it; asked once for all scopes, since a scope sees only its own."""
    seen: dict[str, set[str]] = {}
    for alert in active:
        if alert.tenant is not None:
            seen.setdefault(alert.fault, set()).add(alert.tenant)
    return {fault: len(tenants) for fault, tenants in seen.items()}


def scope_facts(
    visible: Sequence[Alert], graph: CauseGraph, catalog: Catalog, hit: Mapping[str, int], now: datetime
) -> list[Fact]:
    """The alert and edge facts of one scope."""
    facts = [alert_fact(alert, catalog, hit.get(alert.fault, 0), now) for alert in visible]
    return facts + [edge_fact(candidate) for candidate in candidates(visible, graph)]


def alert_fact(alert: Alert, catalog: Catalog, hit: int, now: datetime) -> Fact:
    fact: Fact = {
        "kind": "alert",
        "id": alert.fingerprint,
        "state": "active",
        "code": alert.code,
        "title": alert.title,
        "severity": alert.severity.value,
        "catalogued": alert.catalogued,
        "count": alert.count,
        "tenants_hit": hit,
        "age_s": (now - alert.first_seen).total_seconds(),
        "tenant": alert.tenant,
        "service": alert.service,
        "component": alert.component,
        "probe": alert.probe,
        "message": alert.sample.message if alert.sample else None,
    }
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
        "best": candidate.best,
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


def env_facts(presence: Mapping[str, bool]) -> list[Fact]:
    """presence: name of an environment variable -> whether it is set. Values never become facts."""
    return [
        {"kind": "env", "id": f"env:{name}", "name": name, "present": present}
        for name, present in sorted(presence.items())
    ]
