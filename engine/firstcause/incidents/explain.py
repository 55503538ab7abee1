"""Explains incidents: each verdict with its rule and facts, rules that nearly fired, and what-if."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Alert, Incident, Role, Verdict, VerdictKind
from firstcause.core.root_cause import suspects as suspect_ranking
from firstcause.core.root_cause.attribution import choose_causes, rank_verdicts, root_of, strongest
from firstcause.errors import NotFoundError
from firstcause.incidents.serializers import serialize_suspect
from firstcause.inference.near_misses import NearMiss, find_nearest_miss
from firstcause.inference.variables import parse_reference
from firstcause.rulebase.evaluation import ScopeEvaluator, collect_common_facts
from firstcause.store import alerts, recorded_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Fact
    from firstcause.inference.language import PlacedRule
    from firstcause.rulebase.rulebase import Rulebase

MAX_FAILED_CONDITIONS = 2
"""Conditions that may fail in a rule that counts as a near miss."""

_MAX_MISSES = 5
_MAX_SCOPES = 5
_MAX_SUSPECTS = 5
_IDENTIFYING_FIELDS = ("code", "tenant", "service", "name", "verdict")


class Explainer:
    """Explains what is stored by the live rules."""

    def __init__(self, conn: sa.Connection, rulebase: Rulebase, now: datetime) -> None:
        self._conn = conn
        self._rulebase = rulebase
        self._now = now
        self._rules = {placed.rule.id: placed for placed in rulebase.book.rules}

    def explain_incident(self, incident: Incident, members: Sequence[Alert]) -> dict[str, Any]:
        """{incident, root, tree: [nodes], suspects, missed}; a node is alerts of one code under one cause.

        members: the incident's alerts.
        suspects: the components that may be the root by their graph, likeliest first.
        """
        children: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in members:
            children[None if alert.role is Role.ROOT else alert.caused_by].append(alert)
        verdict_by_fact = {verdict.fact_id: verdict for alert in members for verdict in alert.verdicts}
        return {
            "incident": str(incident.stored_id),
            "status": incident.status.value,
            "root": incident.root.model_dump(),
            "priority": incident.priority.value,
            "tree": self._build_nodes(children[None], children, verdict_by_fact),
            "suspects": self._rank_suspects(incident, members),
            "missed": [_serialize_miss(miss) for miss in self._find_near_misses(incident, members)],
        }

    def _rank_suspects(self, incident: Incident, members: Sequence[Alert]) -> list[dict[str, Any]]:
        facts = recorded_facts.load_at(self._conn, incident.resolved_at or self._now)
        suspects = suspect_ranking.rank_suspects(members, self._rulebase.diagnosis_inputs(facts), facts)
        return [serialize_suspect(suspect) for suspect in suspects[:_MAX_SUSPECTS]]

    def _build_nodes(
        self,
        members: Sequence[Alert],
        children: Mapping[str | None, Sequence[Alert]],
        verdict_by_fact: Mapping[str, Verdict],
    ) -> list[dict[str, Any]]:
        by_code: dict[str, list[Alert]] = defaultdict(list)
        for alert in members:
            by_code[alert.fault].append(alert)
        return [self._build_node(group, children, verdict_by_fact) for group in by_code.values()]

    def _build_node(
        self,
        group: Sequence[Alert],
        children: Mapping[str | None, Sequence[Alert]],
        verdict_by_fact: Mapping[str, Verdict],
    ) -> dict[str, Any]:
        first = group[0]
        below = [child for alert in group for child in children.get(alert.fingerprint, ())]
        return {
            "code": first.code,
            "title": first.title,
            "role": first.role.value,
            "alerts": len(group),
            "events": sum(alert.count for alert in group),
            "tenants": sorted({alert.tenant for alert in group if alert.tenant is not None}),
            "verdicts": [
                self._serialize_verdict(verdict, first, verdict_by_fact) for verdict in _order_verdicts(first)
            ],
            "causes": self._build_nodes(below, children, verdict_by_fact),
        }

    def _serialize_verdict(
        self, verdict: Verdict, alert: Alert, verdict_by_fact: Mapping[str, Verdict]
    ) -> dict[str, Any]:
        rule = self._rules.get(verdict.rule)
        return {
            "verdict": verdict.verdict.value,
            "rule": verdict.rule,
            "about": rule.rule.about if rule else None,
            "file": verdict.file,
            "line": verdict.line,
            "because": verdict.because,
            "confidence": verdict.confidence,
            "priority": verdict.priority,
            "holds": verdict is _find_effective_verdict(alert, verdict.verdict),
            "facts": {
                name: {"kind": fact["kind"], **_select_fields(name, fact, rule)}
                for name, fact in verdict.facts.items()
            },
            "from": [
                self._serialize_verdict(verdict_by_fact[str(fact["id"])], alert, verdict_by_fact)
                for fact in verdict.facts.values()
                if fact["id"] in verdict_by_fact
            ],
        }

    # What did not fire

    def _find_near_misses(self, incident: Incident, members: Sequence[Alert]) -> list[NearMiss]:
        """Find the rules that almost gave a verdict on this incident, the nearest first."""
        fired_rules = {verdict.rule for alert in members for verdict in alert.verdicts}
        idle_rules = [placed for placed in self._rulebase.book.rules if placed.rule.id not in fired_rules]
        scopes = self._build_scopes(incident, members)
        tenants = sorted({alert.tenant for alert in members}, key=str)[:_MAX_SCOPES]
        fact_sets = [scopes.build_facts(tenant) for tenant in tenants]
        if not fact_sets:
            return []
        member_fingerprints = {alert.fingerprint for alert in members}
        nearest_misses = (_find_nearest_miss_in(fact_sets, placed) for placed in idle_rules)
        near_misses = [miss for miss in nearest_misses if _is_near(miss, member_fingerprints)]
        near_misses.sort(key=_get_distance)
        return near_misses[:_MAX_MISSES]

    def explain_rule(self, name: str) -> dict[str, Any]:
        """Explain whether a rule fires on the open alerts, and on which; if not, what comes nearest."""
        placed = self._rules.get(name)
        if placed is None:
            available = ", ".join(sorted(self._rules)) or "none"
            msg = f"no rule {name!r}; there are: {available}"
            raise NotFoundError(msg)
        active = {alert.fingerprint: alert for alert in alerts.load_active(self._conn)}
        scopes = ScopeEvaluator(
            self._rulebase, active, self._load_common_facts(active.values(), self._now), self._now
        )
        fired = [
            {"because": verdict.because, "verdict": verdict.verdict.value, "code": active[fingerprint].code}
            for fingerprint, verdicts in scopes.derive_verdicts(active.values()).items()
            for verdict in verdicts
            if verdict.rule == name
        ]
        tenants = sorted({alert.tenant for alert in active.values()}, key=str) or [None]
        nearest = _find_nearest_miss_in([scopes.build_facts(tenant) for tenant in tenants], placed)
        return {
            "rule": name,
            "about": placed.rule.about,
            "file": placed.file,
            "line": placed.line,
            "fires": fired,
            "nearest": None if fired else _serialize_miss(nearest),
        }

    # What if

    def simulate_fix(self, code: str) -> dict[str, Any]:
        """Simulate a fix of all errors of a code: which open alerts would resolve, and which would stay."""
        active = {alert.fingerprint: alert for alert in alerts.load_active(self._conn)}
        fixed = {name for name, alert in active.items() if alert.code == code}
        if not fixed:
            open_codes = ", ".join(sorted({alert.code for alert in active.values()})) or "nothing"
            msg = f"{code} is not open, so fixing it would change nothing; open: {open_codes}"
            raise NotFoundError(msg)
        resolved = fixed | self._find_resolved_effects(active, fixed)
        return {
            "fixed": code,
            "goes": _count_by_code(active[name] for name in resolved),
            "stays": _count_by_code(active[name] for name in active.keys() - resolved),
        }

    def _find_resolved_effects(self, active: Mapping[str, Alert], fixed: set[str]) -> set[str]:
        """Find the effects of fixed alerts that nothing else explains, by fingerprint."""
        cause_of = {name: alert.caused_by for name, alert in active.items()}
        effects = {name for name in active if name not in fixed and _depends_on(name, fixed, cause_of)}
        remaining = {name: alert for name, alert in active.items() if name not in fixed}
        scopes = ScopeEvaluator(
            self._rulebase, remaining, self._load_common_facts(remaining.values(), self._now), self._now
        )
        new_causes = choose_causes(remaining, scopes.derive_verdicts(remaining.values()))
        # An effect whose new root is an effect as well has lost its only explanation, and resolves.
        return {name for name in effects if root_of(name, new_causes) in effects}

    # Facts

    def _build_scopes(self, incident: Incident, members: Sequence[Alert]) -> ScopeEvaluator:
        """Build the scopes as they are now, or as they were while the incident was open."""
        if incident.resolved_at is None:
            visible_alerts, now = alerts.load_active(self._conn), self._now
        else:
            visible_alerts, now = list(members), incident.resolved_at
        active = {alert.fingerprint: alert for alert in visible_alerts}
        return ScopeEvaluator(self._rulebase, active, self._load_common_facts(active.values(), now), now)

    def _load_common_facts(self, active: Iterable[Alert], now: datetime) -> list[Fact]:
        facts = recorded_facts.load_at(self._conn, now)
        return collect_common_facts(self._conn, self._rulebase, facts, active, now)


def _order_verdicts(alert: Alert) -> list[Verdict]:
    """Order the verdicts on an alert: those on its cause first, by rank, then the others."""
    about_cause = rank_verdicts(alert.verdicts)
    return [*about_cause, *(verdict for verdict in alert.verdicts if verdict not in about_cause)]


def _find_effective_verdict(alert: Alert, kind: VerdictKind) -> Verdict | None:
    if kind not in {VerdictKind.ROOT_CAUSE, VerdictKind.CASCADE}:
        return strongest(alert.verdicts, kind)
    return next(
        (
            verdict
            for verdict in rank_verdicts(alert.verdicts)
            if verdict.by == alert.caused_by or (verdict.by is None and alert.caused_by is None)
        ),
        None,
    )


def _select_fields(name: str, fact: Fact, rule: PlacedRule | None) -> Fact:
    """Select the fields of a fact that the rule reads, and those that identify the fact."""
    fields = (
        set(fact)
        if rule is None or name not in rule.rule.when
        else {*_find_used_fields(name, rule), *_IDENTIFYING_FIELDS}
    )
    # Codes say more to people than the ids of alerts do.
    fields = {f"{field}_code" if f"{field}_code" in fact else field for field in fields}
    return {key: value for key, value in fact.items() if key in fields - {"kind", "id"}}


def _find_used_fields(name: str, rule: PlacedRule) -> Iterator[str]:
    yield from rule.rule.when[name].root
    for pattern in (*rule.rule.when.values(), *rule.rule.unless.values()):
        for test in pattern.root.values():
            if (joined := parse_reference(test)) and joined[0] == name:
                yield joined[1]


def _serialize_miss(miss: NearMiss) -> dict[str, Any]:
    return {
        "rule": miss.rule.rule.id,
        "about": miss.rule.rule.about,
        "file": miss.rule.file,
        "line": miss.rule.line,
        "failed": [
            {
                "where": ".".join(failure.location),
                "wanted": failure.expected,
                "got": failure.actual,
                "short": failure.shortfall,
                "text": str(failure),
            }
            for failure in miss.failed_conditions
        ],
        "facts": {
            name: {"kind": fact["kind"], **_select_fields(name, fact, miss.rule)}
            for name, fact in miss.facts.items()
        },
    }


def _find_nearest_miss_in(fact_sets: Sequence[Sequence[Fact]], placed: PlacedRule) -> NearMiss:
    """Find how near a rule comes to firing, in the set of facts where it comes nearest."""
    return min((find_nearest_miss(placed, facts) for facts in fact_sets), key=_get_distance)


def _is_near(miss: NearMiss, member_fingerprints: set[str]) -> bool:
    """Whether few conditions fail, and the facts include an alert of the incident."""
    concerns_members = any(fact["id"] in member_fingerprints for fact in miss.facts.values())
    return concerns_members and 0 < len(miss.failed_conditions) <= MAX_FAILED_CONDITIONS


def _get_distance(miss: NearMiss) -> float:
    return miss.distance


def _depends_on(name: str, targets: set[str], cause_of: Mapping[str, str | None]) -> bool:
    current: str | None = name
    while current is not None:
        if current in targets:
            return True
        current = cause_of.get(current)
    return False


def _count_by_code(members: Iterable[Alert]) -> list[dict[str, Any]]:
    """Count alerts by code, the most frequent first."""
    by_code: dict[str, list[Alert]] = defaultdict(list)
    for alert in members:
        by_code[alert.code].append(alert)
    rows = [
        {
            "code": code,
            "alerts": len(group),
            "tenants": sorted({alert.tenant for alert in group if alert.tenant is not None}),
            "incidents": sorted({str(alert.incident_id) for alert in group if alert.incident_id is not None}),
        }
        for code, group in by_code.items()
    ]
    return sorted(rows, key=lambda row: (-int(str(row["alerts"])), str(row["code"])))
