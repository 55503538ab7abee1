"""From active alerts to suspects and links as rules see them: who may be the root, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from firstcause.core.grouping.fingerprint import silent_fingerprint
from firstcause.core.model import Alert, Severity
from firstcause.core.root_cause.clustering import Finding, findings
from firstcause.core.root_cause.ranking import Evidence, Prior, diagnose, felt, strength

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from firstcause.core.model import Fact, Sample
    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.ranking import Suspect, Weights
    from firstcause.core.root_cause.signals import Signal, Signals

SILENT = "SILENT_COMPONENT"
"""The code of the alert that stands for a root which itself reports nothing."""

_TOLD = 5
_RECENT = 1800.0


@dataclass(frozen=True)
class Method:
    """What diagnosis goes by, all of it from rule files and configuration."""

    graph: ComponentGraph
    signals: Signals
    weights: Weights


@dataclass(frozen=True)
class Suspicion:
    """What diagnosis found in one scope.

    silent: alerts that stand for components which report nothing, by fingerprint; they hold as long as
    something is attributed to them. findings: as places in `alerts`. doubtful: pairs of faults, a root
    and one that people were told of instead, which is hardly less likely.
    """

    alerts: tuple[Alert, ...]
    findings: tuple[Finding, ...]
    silent: Mapping[str, Alert]
    facts: tuple[Fact, ...]
    doubtful: frozenset[tuple[str, str]]


def place_of(alert: Alert, graph: ComponentGraph) -> str | None:
    """Where in the graph an alert is: its service if that is known there, else its component."""
    return next((name for name in (alert.service, alert.component) if name in graph), None)


def evidence_of(alert: Alert, method: Method) -> Evidence | None:
    """None where the graph does not know the place, or no signal fits."""
    place = place_of(alert, method.graph)
    if place is None or alert.code == SILENT:
        return None
    weight = weighed(alert, method.signals, method.weights)
    if weight is None:
        return None
    signal, strong = weight
    return Evidence(
        component=place,
        signal=signal,
        strength=strong,
        at=alert.first_seen.timestamp(),
        what=alert.code,
        known=alert.catalogued,
    )


class Weighable(Protocol):
    """What of an alert tells how it weighs."""

    @property
    def code(self) -> str:
        """As of the alert."""

    @property
    def title(self) -> str:
        """As of the alert."""

    @property
    def severity(self) -> Severity:
        """As of the alert."""

    @property
    def count(self) -> int:
        """As of the alert."""

    @property
    def sample(self) -> Sample | None:
        """As of the alert."""


def weighed(alert: Weighable, signals: Signals, weights: Weights) -> tuple[Signal, float] | None:
    """What an alert is about, and how strong it is; None where no signal fits."""
    message = alert.sample.message if alert.sample else None
    signal = signals.of(" ".join(filter(None, (alert.code, alert.title, message))))
    if signal is None:
        return None
    return signal, strength(alert.count, _score(alert), alert.severity, weights)


def _score(alert: Weighable) -> float | None:
    """How many times over its threshold it was, where the sender said so as `score`."""
    value = alert.sample.details.get("score") if alert.sample else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def suspicion(
    visible: Iterable[Alert],
    method: Method,
    told: Sequence[Fact],
    tenant: str | None,
    *,
    over: Iterable[Alert] = (),
    said: Collection[str] = (),
) -> Suspicion:
    """Who may be the root of what is visible in one scope.

    told: the facts besides the alerts. tenant: whose scope it is, None for the platform's. over: alerts of
    open incidents that ended; what they showed is evidence still, or the root would move as things mend.
    said: the faults that people were told are roots of what is open.
    """
    looked_at = (*visible, *over)
    seen = [(alert, each) for alert in looked_at if (each := evidence_of(alert, method)) is not None]
    alerts = tuple(alert for alert, _each in seen)
    evidence = [each for _alert, each in seen]
    known = [*priors(told, method.weights), *_incumbents(seen, said, method.weights)]
    found = findings(method.graph, evidence, method.weights, noticed(told, method.signals), known)
    silent: dict[str, Alert] = {}
    facts: list[Fact] = []
    doubtful: set[tuple[str, str]] = set()
    for number, finding in enumerate(found):
        lead = _lead(finding, alerts, evidence)
        if lead is None and finding.root.silent:
            lead = _stand_in(finding, alerts, tenant)
            silent[lead.fingerprint] = lead
        if lead is None:
            continue
        doubtful |= set(_doubtful(finding, lead, seen, said, method.weights))
        facts += _suspect_facts(finding, lead, number)
        facts += _links(finding, lead, alerts, evidence)
    return Suspicion(alerts, tuple(found), silent, tuple(facts), frozenset(doubtful))


def ranked(visible: Iterable[Alert], method: Method, told: Sequence[Fact]) -> list[Suspect]:
    """All that may be the root of what is visible, likeliest first, be it one storm or several."""
    evidence = [each for alert in visible if (each := evidence_of(alert, method)) is not None]
    by_users = noticed(told, method.signals) or felt(method.graph, evidence)
    return diagnose(method.graph, evidence, method.weights, by_users, priors(told, method.weights))


def noticed(told: Iterable[Fact], signals: Signals) -> frozenset[str]:
    """The signals by which users notice it, where that was told."""
    named = (
        signals.of(str(fact["metric"])) for fact in told if fact["kind"] == "symptom" and "metric" in fact
    )
    return frozenset(signal.name for signal in named if signal is not None)


def priors(told: Iterable[Fact], weights: Weights) -> Iterator[Prior]:
    """What probes, changes and history say of components."""
    for fact in told:
        age = fact.get("age_s")
        recent = not isinstance(age, int | float) or age <= _RECENT
        match fact:
            case {"kind": "reading", "component": str(name), "status": "DOWN"}:
                yield Prior(name, weights.probe_down, "its probe says DOWN")
            case {"kind": "reading", "component": str(name), "status": "UP"}:
                yield Prior(name, weights.probe_up, "its probe says UP")
            case {"kind": "change", "component": str(name), "name": what, "category": category} if (
                recent and category != "infrastructure"
            ):
                yield Prior(name, weights.changed, f"{what} of it changed not long ago")
            case {"kind": "past_root", "component": str(name), "incidents": int(number)}:
                yield Prior(name, weights.again, f"it was the root of {number} incidents of late")
            case {"kind": "deploy", "service": str(name)} if recent:
                yield Prior(name, weights.changed, "it was deployed not long ago")


def _incumbents(
    seen: Iterable[tuple[Alert, Evidence]], said: Collection[str], weights: Weights
) -> Iterator[Prior]:
    for name in sorted({each.component for alert, each in seen if alert.fault in said}):
        yield Prior(name, weights.incumbent, "people were told that it is the root")


def _doubtful(
    finding: Finding,
    lead: Alert,
    seen: Sequence[tuple[Alert, Evidence]],
    said: Collection[str],
    weights: Weights,
) -> Iterator[tuple[str, str]]:
    """Each fault that people were told of which is nearly as likely as this root: (the root's, that one).

    None where the root has a strong sign of a cause, or where the catalog knows both: that is worth a
    message.
    """
    signs = (each for alert, each in seen if each.component == finding.root.component)
    if any(not each.signal.spreads and each.strength >= weights.apart for each in signs):
        return
    scores = {suspect.component: suspect.score for suspect in finding.ranked}
    for alert, each in seen:
        near = scores.get(each.component, -math.inf) > finding.root.score - weights.surely
        if alert.fault in said and near and not (lead.catalogued and alert.catalogued):
            yield lead.fault, alert.fault


def _lead(finding: Finding, alerts: Sequence[Alert], evidence: Sequence[Evidence]) -> Alert | None:
    """The alert that stands for the root: a sign of a cause before a symptom, then the strongest."""
    own = [
        number
        for number in finding.explained
        if evidence[number].component == finding.root.component and alerts[number].active
    ]
    if not own:
        return None

    def rank(number: int) -> tuple[bool, float, float, str]:
        each = evidence[number]
        return each.signal.spreads, -each.strength, each.at, alerts[number].fingerprint

    return alerts[min(own, key=rank)]


def _stand_in(finding: Finding, alerts: Sequence[Alert], tenant: str | None) -> Alert:
    root = finding.root
    first = min(alerts[number].first_seen for number in finding.explained)
    title = f"{root.component} says nothing, and {root.callers_failing} of its {root.callers} callers fail"
    fault, fingerprint = silent_fingerprint(root.component, tenant)
    return Alert(
        fingerprint=fingerprint,
        fault=fault,
        code=SILENT,
        catalogued=True,
        title=title,
        severity=Severity.CRITICAL,
        first_seen=first,
        last_seen=first,
        count=0,
        component=root.component,
        tenant=tenant,
        service=root.component,
    )


def _suspect_facts(finding: Finding, lead: Alert, number: int) -> Iterator[Fact]:
    for rank, suspect in enumerate(finding.ranked[:_TOLD], 1):
        chosen = suspect.component == finding.root.component
        fact: Fact = {
            "kind": "suspect",
            "id": f"suspect:{number}:{suspect.component}",
            "component": suspect.component,
            "chosen": chosen,
            "rank": rank,
            "confidence": round(suspect.confidence, 3),
            "silent": suspect.silent,
            "explains": len(suspect.explains),
            "callers": suspect.callers,
            "callers_failing": suspect.callers_failing,
            "for": said(suspect.because),
            "against": said(suspect.against),
        }
        yield fact | ({"alert": lead.fingerprint} if chosen else {})


def said(reasons: Sequence[str]) -> str:
    return "; ".join(reasons) or "nothing"


def _links(
    finding: Finding, lead: Alert, alerts: Sequence[Alert], evidence: Sequence[Evidence]
) -> Iterator[Fact]:
    for relation, numbers in (("explained", finding.explained), ("beside", finding.beside)):
        for number in sorted(numbers):
            effect = alerts[number]
            if effect.fingerprint == lead.fingerprint or not effect.active:
                continue
            yield {
                "kind": "link",
                "id": f"link:{lead.fingerprint}:{effect.fingerprint}",
                "cause": lead.fingerprint,
                "effect": effect.fingerprint,
                "cause_component": finding.root.component,
                "effect_component": evidence[number].component,
                "relation": relation,
                "signal": evidence[number].signal.name,
                "confidence": round(finding.root.confidence, 3),
                "codes_known": lead.catalogued and effect.catalogued and lead.code != SILENT,
            }
