"""Builds the facts that rules see from alerts, readings, changes and what the store knows of the past."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firstcause.core.fact_kinds import (
    AlertFact,
    ChangeFact,
    ClockFact,
    DependencyFact,
    EdgeFact,
    EnvFact,
    HistoryFact,
    MetricFact,
    PastRootFact,
    ReadingFact,
    SilenceFact,
    TenantFact,
)
from firstcause.core.model import Severity
from firstcause.core.root_cause.attribution import Candidate, find_candidates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog
    from firstcause.core.model import Alert, Fact, FactValue
    from firstcause.core.notify.silences import FullMatch, Silence
    from firstcause.core.reading import Reading
    from firstcause.core.root_cause.attribution import FactFilter
    from firstcause.core.root_cause.graphs import CauseGraph
    from firstcause.core.root_cause.reach import Reach


def count_affected_tenants(active: Iterable[Alert]) -> dict[str, int]:
    """Count the tenants that report each fault, by fault.

    Computed once for all scopes, because one scope sees a single tenant.
    """
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
    is_wanted: FactFilter,
    reach: Reach | None = None,
) -> list[Fact]:
    """Build the alert facts of one scope, and the edge facts that `is_wanted` selects.

    reach: which alerts may reach each other by their places; None where that is not known.
    """
    facts = [
        alert_fact(alert, catalog, affected_tenants.get(alert.fault, 0), now) for alert in visible_alerts
    ]
    candidates = find_candidates(visible_alerts, graph, is_wanted, reach)
    return facts + [edge_fact(candidate) for candidate in candidates]


def alert_fact(alert: Alert, catalog: Catalog, affected_tenants: int, now: datetime) -> Fact:
    """Build the fact of an alert, with the fields of its catalog entry where it has one."""
    features = catalog.features_of(alert.service) or catalog.features_of(alert.component)
    entry = catalog.get(alert.code)
    impact = entry.impact if entry is not None else None
    particulars = list_particulars(alert)
    fact = AlertFact(
        id=alert.fingerprint,
        code=alert.code,
        title=alert.title,
        severity=alert.severity,
        catalogued=alert.catalogued,
        count=alert.count,
        parts=max(1, alert.parts.active_count),
        tenants_hit=affected_tenants,
        age_s=(now - alert.first_seen).total_seconds(),
        quiet_s=(now - alert.last_seen).total_seconds(),
        host=_find_particular(particulars, "host"),
        environment=_find_particular(particulars, "environment"),
        release=_find_particular(particulars, "release"),
        tenant=alert.tenant,
        service=alert.service,
        component=alert.component,
        probe=alert.probe,
        message=alert.sample.message if alert.sample else None,
        component_features=list(features) if features else None,
        category=entry.category if entry else None,
        customer_facing=entry.customer_facing if entry else None,
        priority=impact.priority if impact else None,
        revenue=impact.revenue if impact else None,
        tenants=impact.tenants if impact else None,
        features=list(impact.features) if impact else None,
    ).to_fact()
    return {**fact, **particulars}


_PARTICULAR_NAMES = {
    "host": ("host", "hostname", "server_name", "instance", "host.name"),
    "environment": ("environment", "env", "deployment.environment"),
    "release": ("release", "version", "service.version"),
}
"""What senders call them, the most telling name first."""

_MAX_PARTICULARS = 60
_MAX_PARTICULAR_CHARS = 300
_MAX_NESTING = 3


def list_particulars(alert: Alert) -> dict[str, FactValue]:
    """List the labels, tags and details of an alert's latest event, with dots, if they are short."""
    parts = [part.labels for part in alert.parts.shown if part.resolved_at is None][-1:]
    sample = alert.sample
    groups: list[tuple[str, Mapping[str, object]]] = [("labels", labels) for labels in parts]
    if sample is not None:
        groups += [("tags", sample.tags), ("details", sample.details)]
    fields = (pair for prefix, values in groups for pair in _flatten(prefix, values, _MAX_NESTING))
    return dict(islice(fields, _MAX_PARTICULARS))


def _flatten(prefix: str, values: Mapping[str, object], depth: int) -> Iterator[tuple[str, FactValue]]:
    for name, value in values.items():
        path = f"{prefix}.{name}"
        if isinstance(value, dict) and depth > 1:
            yield from _flatten(path, value, depth - 1)
        elif isinstance(value, bool | int | float) or (
            isinstance(value, str) and len(value) <= _MAX_PARTICULAR_CHARS
        ):
            yield path, value


def _find_particular(particulars: Mapping[str, FactValue], name: str) -> str | None:
    values = (
        particulars.get(f"{group}.{word}")
        for word in _PARTICULAR_NAMES[name]
        for group in ("labels", "tags", "details")
    )
    return next((str(value) for value in values if value not in {None, ""}), None)


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def clock_fact(now: datetime, timezone: str, holidays: Collection[str]) -> Fact:
    """Build the fact of the time. timezone: a name of the zone database; an unknown one counts as UTC.

    holidays: dates such as 2026-12-25.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        timezone, zone = "UTC", ZoneInfo("UTC")
    local = now.astimezone(zone)
    weekday: Any = _WEEKDAYS[local.weekday()]
    return ClockFact(
        id="clock",
        hour=local.hour,
        minute=local.minute,
        weekday=weekday,
        date=local.date().isoformat(),
        timezone=timezone,
        weekend=local.weekday() >= _WEEKDAYS.index("sat"),
        holiday=local.date().isoformat() in holidays,
    ).to_fact()


def dependency_fact(caller: str, callee: str) -> Fact:
    """Build the fact that one component calls another."""
    return DependencyFact(id=f"dependency:{caller}:{callee}", component=caller, on=callee).to_fact()


def edge_fact(candidate: Candidate) -> Fact:
    """Build the fact that one active alert may cause another."""
    cause, effect = candidate.cause, candidate.effect
    return EdgeFact(
        id=f"edge:{cause.fingerprint}:{effect.fingerprint}",
        cause=cause.fingerprint,
        effect=effect.fingerprint,
        cause_code=cause.code,
        effect_code=effect.code,
        hops=candidate.hops,
        best=candidate.is_best,
        scope="platform" if cause.tenant is None else "tenant",
        lag_s=candidate.lag_s,
    ).to_fact()


def reading_fact(probe: str, component: str, reading: Reading) -> Fact:
    """Build the fact of a probe's last reading."""
    return ReadingFact(
        id=f"reading:{probe}",
        probe=probe,
        component=component,
        status=reading.status,
        detail=reading.detail,
        latency_ms=reading.latency_ms,
    ).to_fact()


def metric_facts(probe: str, component: str, reading: Reading) -> list[Fact]:
    """Build a fact for each number among a reading's data."""
    return [
        MetricFact(
            id=f"metric:{probe}:{name}", name=name, probe=probe, component=component, value=value
        ).to_fact()
        for name, value in reading.data.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


@dataclass(frozen=True)
class Change:
    """A change of a setting, a probe's status or a release.

    category: as of a difference. component: None where the change belongs to no component.
    name: the setting or the probe.
    """

    category: Any
    component: str | None
    name: str
    before: str
    after: str
    changed_at: datetime


def change_fact(change: Change, now: datetime) -> Fact:
    """Build the fact of a change."""
    return ChangeFact(
        id=f"change:{change.category}:{change.name}:{change.changed_at.timestamp()}",
        category=change.category,
        name=change.name,
        before=change.before,
        after=change.after,
        age_s=(now - change.changed_at).total_seconds(),
        component=change.component,
    ).to_fact()


def tenant_fact(name: str, tenant_alerts: Sequence[Alert]) -> Fact:
    """Build the fact of a tenant from the tenant's active alerts."""
    return TenantFact(
        id=f"tenant:{name}",
        name=name,
        alerts=len(tenant_alerts),
        codes=len({alert.code for alert in tenant_alerts}),
        critical=sum(alert.severity is Severity.CRITICAL for alert in tenant_alerts),
    ).to_fact()


@dataclass(frozen=True)
class CodeHistory:
    """What the store knows of a code.

    occurrences: events ever. incidents: resolved incidents of which the code was the root.
    last_resolved, last_fix: of the latest of these incidents; None where there is none.
    """

    code: str
    occurrences: int
    first_seen: datetime
    incidents: int = 0
    last_resolved: datetime | None = None
    last_fix: str | None = None


def history_facts(histories: Iterable[CodeHistory], now: datetime) -> list[Fact]:
    """Build a fact for each code with a past."""
    return [
        HistoryFact(
            id=f"history:{history.code}",
            code=history.code,
            seen=history.occurrences,
            known_s=(now - history.first_seen).total_seconds(),
            incidents=history.incidents,
            last_fix=history.last_fix,
            resolved_s=(now - history.last_resolved).total_seconds() if history.last_resolved else None,
        ).to_fact()
        for history in histories
    ]


def silence_facts(active: Iterable[Alert], silences: Sequence[Silence], full_match: FullMatch) -> list[Fact]:
    """Build a fact for each pair of an alert and a silence that matches the alert."""
    return [
        _silence_fact(alert, silence)
        for silence in silences
        for alert in active
        if silence.matches(alert, full_match)
    ]


def _silence_fact(alert: Alert, silence: Silence) -> Fact:
    return SilenceFact(
        id=f"silence:{silence.silence_id}:{alert.fingerprint}",
        silence=str(silence.silence_id),
        alert=alert.fingerprint,
        code=alert.code,
        tenant=alert.tenant,
        service=alert.service,
        component=alert.component,
        by=silence.created_by,
        comment=silence.comment or "no comment",
    ).to_fact()


def past_root_facts(counts: Mapping[str, int]) -> list[Fact]:
    """Build a fact for each component that was the root of recent incidents.

    counts: incidents by component.
    """
    return [
        PastRootFact(id=f"past_root:{name}", component=name, incidents=count).to_fact()
        for name, count in sorted(counts.items())
    ]


def env_facts(presence: Mapping[str, bool]) -> list[Fact]:
    """Build a fact for each environment variable.

    presence: whether each variable is set, by name. Values never become facts.
    """
    return [
        EnvFact(id=f"env:{name}", name=name, present=present).to_fact()
        for name, present in sorted(presence.items())
    ]
