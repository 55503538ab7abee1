"""Why an incident is what it is: each verdict with its rule and facts, what came near, and what if."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Alert, Incident, Role, Verdict, VerdictKind
from firstcause.core.root_cause import suspects as suspicion
from firstcause.core.root_cause.attribution import parents, ranked, root_of, strongest
from firstcause.errors import NotFoundError
from firstcause.incidents.serializers import suspect_answer
from firstcause.inference.near_misses import Miss, nearest_miss
from firstcause.inference.variables import reference
from firstcause.rulebase.evaluation import Scopes, common_facts
from firstcause.store import alerts, incidents, recorded_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Fact
    from firstcause.inference.language import PlacedRule
    from firstcause.rulebase.rulebase import Knowledge

NEAR = 2
"""Conditions that may fail in a rule that is still said to have come near."""

_MISSES = 5
_SCOPES = 5
_SUSPECTS = 5
_ALWAYS = ("code", "tenant", "service", "name", "verdict")


class Explainer:
    """Explains from what is stored, by the rules that are live."""

    def __init__(self, conn: sa.Connection, knowledge: Knowledge, now: datetime) -> None:
        self._conn = conn
        self._knowledge = knowledge
        self._now = now
        self._rules = {each.rule.id: each for each in knowledge.book.rules}

    def incident(self, number: str) -> dict[str, Any]:
        """{incident, root, tree: [nodes], suspects, missed}; a node is alerts of one code under one cause.

        suspects: the components that may be the root by their graph, likeliest first.
        """
        found = incidents.get(self._conn, number)
        members = self._members(found)
        children: dict[str | None, list[Alert]] = defaultdict(list)
        for alert in members:
            children[None if alert.role is Role.ROOT else alert.caused_by].append(alert)
        said = {verdict.fact_id: verdict for alert in members for verdict in alert.verdicts}
        return {
            "incident": str(found.stored_id),
            "status": found.status.value,
            "root": found.root.model_dump(),
            "priority": found.priority.value,
            "tree": self._nodes(children[None], children, said),
            "suspects": self._suspects(found, members),
            "missed": self._missed(found, members),
        }

    def _suspects(self, incident: Incident, members: Sequence[Alert]) -> list[dict[str, Any]]:
        told = recorded_facts.at(self._conn, incident.resolved_at or self._now)
        suspects = suspicion.ranked(members, self._knowledge.method(told), told)
        return [suspect_answer(each) for each in suspects[:_SUSPECTS]]

    def _members(self, incident: Incident) -> list[Alert]:
        row = incident.row_id
        return alerts.of_incidents(self._conn, [row])[row]

    def _nodes(
        self,
        members: Sequence[Alert],
        children: Mapping[str | None, Sequence[Alert]],
        said: Mapping[str, Verdict],
    ) -> list[dict[str, Any]]:
        by_code: dict[str, list[Alert]] = defaultdict(list)
        for alert in members:
            by_code[alert.fault].append(alert)
        return [self._node(alike, children, said) for alike in by_code.values()]

    def _node(
        self,
        alike: Sequence[Alert],
        children: Mapping[str | None, Sequence[Alert]],
        said: Mapping[str, Verdict],
    ) -> dict[str, Any]:
        first = alike[0]
        below = [child for alert in alike for child in children.get(alert.fingerprint, ())]
        return {
            "code": first.code,
            "title": first.title,
            "role": first.role.value,
            "alerts": len(alike),
            "events": sum(alert.count for alert in alike),
            "tenants": sorted({alert.tenant for alert in alike if alert.tenant is not None}),
            "verdicts": [self._verdict(each, first, said) for each in _in_force(first)],
            "causes": self._nodes(below, children, said),
        }

    def _verdict(self, verdict: Verdict, of: Alert, said: Mapping[str, Verdict]) -> dict[str, Any]:
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
            "holds": verdict is _holding(of, verdict.verdict),
            "facts": {
                name: {"kind": fact["kind"], **_looked_at(name, fact, rule)}
                for name, fact in verdict.facts.items()
            },
            "from": [
                self._verdict(said[str(fact["id"])], of, said)
                for fact in verdict.facts.values()
                if fact["id"] in said
            ],
        }

    # What did not fire

    def _missed(self, incident: Incident, members: Sequence[Alert]) -> list[dict[str, Any]]:
        """Rules that came near to saying something of this incident, the nearest first."""
        own = {alert.fingerprint for alert in members}
        spoke = {verdict.rule for alert in members for verdict in alert.verdicts}
        scopes = self._scopes(incident, members)
        tenants = sorted({alert.tenant for alert in members}, key=str)[:_SCOPES]
        seen = [scopes.facts(tenant) for tenant in tenants]
        misses = [
            min((nearest_miss(each, facts) for facts in seen), key=lambda miss: miss.distance)
            for each in self._knowledge.book.rules
            if each.rule.id not in spoke and seen
        ]
        near = [
            miss
            for miss in misses
            if 0 < len(miss.failed) <= NEAR and any(fact["id"] in own for fact in miss.facts.values())
        ]
        near.sort(key=lambda miss: miss.distance)
        return [_miss(each) for each in near[:_MISSES]]

    def rule(self, name: str) -> dict[str, Any]:
        """Whether a rule fires on what is open now, on what, and else what comes nearest."""
        placed = self._rules.get(name)
        if placed is None:
            known = ", ".join(sorted(self._rules)) or "none"
            msg = f"no rule {name!r}; there are: {known}"
            raise NotFoundError(msg)
        active = {alert.fingerprint: alert for alert in alerts.active(self._conn)}
        scopes = Scopes(self._knowledge, active, self._common(active.values(), self._now), self._now)
        fired = [
            {"because": verdict.because, "verdict": verdict.verdict.value, "code": active[of].code}
            for of, verdicts in scopes.derive(active).items()
            for verdict in verdicts
            if verdict.rule == name
        ]
        tenants = sorted({alert.tenant for alert in active.values()}, key=str) or [None]
        misses = [nearest_miss(placed, scopes.facts(tenant)) for tenant in tenants]
        nearest = min(misses, key=lambda miss: miss.distance)
        return {
            "rule": name,
            "about": placed.rule.about,
            "file": placed.file,
            "line": placed.line,
            "fires": fired,
            "nearest": None if fired else _miss(nearest),
        }

    # What if

    def without(self, code: str) -> dict[str, Any]:
        """Which open alerts would go if the errors of this code were mended, and which would stay."""
        active = {alert.fingerprint: alert for alert in alerts.active(self._conn)}
        mended = {name for name, alert in active.items() if alert.code == code}
        if not mended:
            there = ", ".join(sorted({alert.code for alert in active.values()})) or "nothing"
            msg = f"{code} is not open, so mending it would change nothing; open: {there}"
            raise NotFoundError(msg)
        chosen = {name: alert.caused_by for name, alert in active.items()}
        below = {name for name in active if name not in mended and _stands_on(name, mended, chosen)}
        rest = {name: alert for name, alert in active.items() if name not in mended}
        scopes = Scopes(self._knowledge, rest, self._common(rest.values(), self._now), self._now)
        then = parents(rest, scopes.derive(rest))
        # What nothing else explains was explained by what is mended, and goes with it.
        goes = {name for name in below if root_of(name, then) in below}
        return {
            "fixed": code,
            "goes": _counted(active[name] for name in mended | goes),
            "stays": _counted(active[name] for name in rest.keys() - goes),
        }

    # Facts

    def _scopes(self, incident: Incident, members: Sequence[Alert]) -> Scopes:
        """The scopes as they are, or as they were while the incident was open."""
        if incident.resolved_at is None:
            seen, now = alerts.active(self._conn), self._now
        else:
            seen, now = list(members), incident.resolved_at
        active = {alert.fingerprint: alert for alert in seen}
        return Scopes(self._knowledge, active, self._common(active.values(), now), now)

    def _common(self, active: Iterable[Alert], now: datetime) -> list[Fact]:
        told = recorded_facts.at(self._conn, now)
        return common_facts(self._conn, self._knowledge, told, active, now)


def _in_force(alert: Alert) -> list[Verdict]:
    """What was said of an alert: of its cause first, by rank, then of the rest."""
    about_cause = ranked(alert.verdicts)
    return [*about_cause, *(each for each in alert.verdicts if each not in about_cause)]


def _holding(alert: Alert, kind: VerdictKind) -> Verdict | None:
    if kind not in {VerdictKind.ROOT_CAUSE, VerdictKind.CASCADE}:
        return strongest(alert.verdicts, kind)
    return next(
        (
            each
            for each in ranked(alert.verdicts)
            if each.by == alert.caused_by or (each.by is None and alert.caused_by is None)
        ),
        None,
    )


def _looked_at(name: str, fact: Fact, rule: PlacedRule | None) -> Fact:
    """The fields of a fact that the rule looks at, and those that say which fact it is."""
    fields = set(fact) if rule is None or name not in rule.rule.when else {*_fields(name, rule), *_ALWAYS}
    # Codes say more to people than the ids of alerts do.
    fields = {f"{field}_code" if f"{field}_code" in fact else field for field in fields}
    return {key: value for key, value in fact.items() if key in fields - {"kind", "id"}}


def _fields(name: str, rule: PlacedRule) -> Iterator[str]:
    yield from rule.rule.when[name].root
    for pattern in (*rule.rule.when.values(), *rule.rule.unless.values()):
        for test in pattern.root.values():
            if (joined := reference(test)) and joined[0] == name:
                yield joined[1]


def _miss(miss: Miss) -> dict[str, Any]:
    return {
        "rule": miss.rule.rule.id,
        "about": miss.rule.rule.about,
        "file": miss.rule.file,
        "line": miss.rule.line,
        "failed": [
            {
                "where": ".".join(each.where),
                "wanted": each.wanted,
                "got": each.got,
                "short": each.short,
                "text": str(each),
            }
            for each in miss.failed
        ],
        "facts": {
            name: {"kind": fact["kind"], **_looked_at(name, fact, miss.rule)}
            for name, fact in miss.facts.items()
        },
    }


def _stands_on(name: str, causes: set[str], chosen: Mapping[str, str | None]) -> bool:
    at: str | None = name
    while at is not None:
        if at in causes:
            return True
        at = chosen.get(at)
    return False


def _counted(found: Iterable[Alert]) -> list[dict[str, Any]]:
    """The alerts by code, the most frequent first."""
    by_code: dict[str, list[Alert]] = defaultdict(list)
    for alert in found:
        by_code[alert.code].append(alert)
    counted = [
        {
            "code": code,
            "alerts": len(alike),
            "tenants": sorted({alert.tenant for alert in alike if alert.tenant is not None}),
            "incidents": sorted({str(alert.incident_id) for alert in alike if alert.incident_id is not None}),
        }
        for code, alike in by_code.items()
    ]
    return sorted(counted, key=lambda one: (-int(str(one["alerts"])), str(one["code"])))
