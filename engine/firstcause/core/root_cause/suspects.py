"""From active alerts to suspects and links as rules see them: who may be the root, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from firstcause.core.fact_kinds import LinkFact, SuspectFact
from firstcause.core.grouping.fingerprint import silent_fingerprint
from firstcause.core.model import Alert, Severity
from firstcause.core.root_cause.clustering import Finding, find_roots
from firstcause.core.root_cause.ranking import (
    Evidence,
    Prior,
    compute_strength,
    diagnose,
    entry_point_signals,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from firstcause.core.model import Fact, Sample
    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.ranking import Suspect, Weights
    from firstcause.core.root_cause.signals import Signal, Signals

SILENT_CODE = "SILENT_COMPONENT"
"""The code of the alert that stands for a root which itself reports nothing."""

_MAX_SUSPECT_FACTS = 5
_RECENT_S = 1800.0


@dataclass(frozen=True)
class DiagnosisInputs:
    """What diagnosis goes by, all of it from rule files and configuration."""

    graph: ComponentGraph
    signals: Signals
    weights: Weights


@dataclass(frozen=True)
class SuspectAnalysis:
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


def locate_alert(alert: Alert, graph: ComponentGraph) -> str | None:
    """Where in the graph an alert is: its service if that is known there, else its component."""
    return next((name for name in (alert.service, alert.component) if name in graph), None)


def build_evidence(alert: Alert, inputs: DiagnosisInputs) -> Evidence | None:
    """None where the graph does not know the place, or no signal fits."""
    component = locate_alert(alert, inputs.graph)
    if component is None or alert.code == SILENT_CODE:
        return None
    weight = weigh_alert(alert, inputs.signals, inputs.weights)
    if weight is None:
        return None
    signal, strength = weight
    return Evidence(
        component=component,
        signal=signal,
        strength=strength,
        time_s=alert.first_seen.timestamp(),
        label=alert.code,
        catalogued=alert.catalogued,
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


def weigh_alert(alert: Weighable, signals: Signals, weights: Weights) -> tuple[Signal, float] | None:
    """What an alert is about, and how strong it is; None where no signal fits."""
    message = alert.sample.message if alert.sample else None
    signal = signals.classify(" ".join(filter(None, (alert.code, alert.title, message))))
    if signal is None:
        return None
    return signal, compute_strength(alert.count, _read_score(alert), alert.severity, weights)


def _read_score(alert: Weighable) -> float | None:
    """How many times over its threshold it was, where the sender said so as `score`."""
    value = alert.sample.details.get("score") if alert.sample else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def analyze_suspects(
    visible: Iterable[Alert],
    inputs: DiagnosisInputs,
    known_facts: Sequence[Fact],
    tenant: str | None,
    *,
    ended_alerts: Iterable[Alert] = (),
    notified_faults: Collection[str] = (),
) -> SuspectAnalysis:
    """Who may be the root of what is visible in one scope.

    told: the facts besides the alerts. tenant: whose scope it is, None for the platform's. over: alerts of
    open incidents that ended; what they showed is evidence still, or the root would move as things mend.
    said: the faults that people were told are roots of what is open.
    """
    considered = (*visible, *ended_alerts)
    pairs = [(alert, item) for alert in considered if (item := build_evidence(alert, inputs)) is not None]
    alerts = tuple(alert for alert, _item in pairs)
    evidence = [item for _alert, item in pairs]
    all_priors = [
        *derive_priors(known_facts, inputs.weights),
        *_incumbent_priors(pairs, notified_faults, inputs.weights),
    ]
    roots = find_roots(
        inputs.graph, evidence, inputs.weights, user_visible_signals(known_facts, inputs.signals), all_priors
    )
    silent: dict[str, Alert] = {}
    facts: list[Fact] = []
    doubtful: set[tuple[str, str]] = set()
    for index, finding in enumerate(roots):
        root_alert = _choose_root_alert(finding, alerts, evidence)
        if root_alert is None and finding.root.silent:
            root_alert = _make_silent_alert(finding, alerts, tenant)
            silent[root_alert.fingerprint] = root_alert
        if root_alert is None:
            continue
        doubtful |= set(_find_doubtful(finding, root_alert, pairs, notified_faults, inputs.weights))
        facts += _suspect_facts(finding, root_alert, index)
        facts += _link_facts(finding, root_alert, alerts, evidence)
    return SuspectAnalysis(alerts, tuple(roots), silent, tuple(facts), frozenset(doubtful))


def rank_suspects(
    visible: Iterable[Alert], inputs: DiagnosisInputs, known_facts: Sequence[Fact]
) -> list[Suspect]:
    """All that may be the root of what is visible, likeliest first, be it one storm or several."""
    evidence = [item for alert in visible if (item := build_evidence(alert, inputs)) is not None]
    user_signals = user_visible_signals(known_facts, inputs.signals) or entry_point_signals(
        inputs.graph, evidence
    )
    return diagnose(
        inputs.graph, evidence, inputs.weights, user_signals, derive_priors(known_facts, inputs.weights)
    )


def user_visible_signals(known_facts: Iterable[Fact], signals: Signals) -> frozenset[str]:
    """The signals by which users notice it, where that was told."""
    named = (
        signals.classify(str(fact["metric"]))
        for fact in known_facts
        if fact["kind"] == "symptom" and "metric" in fact
    )
    return frozenset(signal.name for signal in named if signal is not None)


def derive_priors(known_facts: Iterable[Fact], weights: Weights) -> Iterator[Prior]:
    """What probes, changes and history say of components."""
    for fact in known_facts:
        age = fact.get("age_s")
        is_recent = not isinstance(age, int | float) or age <= _RECENT_S
        match fact:
            case {"kind": "reading", "component": str(name), "status": "DOWN"}:
                yield Prior(name, weights.probe_down, "its probe says DOWN")
            case {"kind": "reading", "component": str(name), "status": "UP"}:
                yield Prior(name, weights.probe_up, "its probe says UP")
            case {"kind": "change", "component": str(name), "name": change, "category": category} if (
                is_recent and category != "infrastructure"
            ):
                yield Prior(name, weights.changed, f"{change} of it changed not long ago")
            case {"kind": "past_root", "component": str(name), "incidents": int(incidents)}:
                yield Prior(name, weights.again, f"it was the root of {incidents} incidents of late")
            case {"kind": "deploy", "service": str(name)} if is_recent:
                yield Prior(name, weights.changed, "it was deployed not long ago")


def _incumbent_priors(
    pairs: Iterable[tuple[Alert, Evidence]], notified_faults: Collection[str], weights: Weights
) -> Iterator[Prior]:
    for name in sorted({item.component for alert, item in pairs if alert.fault in notified_faults}):
        yield Prior(name, weights.incumbent, "people were told that it is the root")


def _find_doubtful(
    finding: Finding,
    root_alert: Alert,
    pairs: Sequence[tuple[Alert, Evidence]],
    notified_faults: Collection[str],
    weights: Weights,
) -> Iterator[tuple[str, str]]:
    """Each fault that people were told of which is nearly as likely as this root: (the root's, that one).

    None where the root has a strong sign of a cause, or where the catalog knows both: that is worth a
    message.
    """
    signs = (item for alert, item in pairs if item.component == finding.root.component)
    if any(not item.signal.spreads and item.strength >= weights.apart for item in signs):
        return
    scores = {suspect.component: suspect.score for suspect in finding.ranked}
    for alert, item in pairs:
        is_near = scores.get(item.component, -math.inf) > finding.root.score - weights.surely
        if alert.fault in notified_faults and is_near and not (root_alert.catalogued and alert.catalogued):
            yield root_alert.fault, alert.fault


def _choose_root_alert(
    finding: Finding, alerts: Sequence[Alert], evidence: Sequence[Evidence]
) -> Alert | None:
    """The alert that stands for the root: a sign of a cause before a symptom, then the strongest."""
    own_indexes = [
        index
        for index in finding.explained
        if evidence[index].component == finding.root.component and alerts[index].active
    ]
    if not own_indexes:
        return None

    def rank(index: int) -> tuple[bool, float, float, str]:
        item = evidence[index]
        return item.signal.spreads, -item.strength, item.time_s, alerts[index].fingerprint

    return alerts[min(own_indexes, key=rank)]


def _make_silent_alert(finding: Finding, alerts: Sequence[Alert], tenant: str | None) -> Alert:
    root = finding.root
    first = min(alerts[index].first_seen for index in finding.explained)
    title = f"{root.component} says nothing, and {root.callers_failing} of its {root.callers} callers fail"
    fault, fingerprint = silent_fingerprint(root.component, tenant)
    return Alert(
        fingerprint=fingerprint,
        fault=fault,
        code=SILENT_CODE,
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


def _suspect_facts(finding: Finding, root_alert: Alert, finding_index: int) -> Iterator[Fact]:
    for rank, suspect in enumerate(finding.ranked[:_MAX_SUSPECT_FACTS], 1):
        chosen = suspect.component == finding.root.component
        yield SuspectFact(
            id=f"suspect:{finding_index}:{suspect.component}",
            component=suspect.component,
            chosen=chosen,
            rank=rank,
            confidence=round(suspect.confidence, 3),
            silent=suspect.silent,
            explains=len(suspect.explains),
            callers=suspect.callers,
            callers_failing=suspect.callers_failing,
            for_=join_reasons(suspect.because),
            against=join_reasons(suspect.against),
            alert=root_alert.fingerprint if chosen else None,
        ).to_fact()


def join_reasons(reasons: Sequence[str]) -> str:
    return "; ".join(reasons) or "nothing"


def _link_facts(
    finding: Finding, root_alert: Alert, alerts: Sequence[Alert], evidence: Sequence[Evidence]
) -> Iterator[Fact]:
    relations: dict[Literal["explained", "beside"], set[int]] = {
        "explained": finding.explained,
        "beside": finding.coincident,
    }
    for relation, indexes in relations.items():
        for index in sorted(indexes):
            effect = alerts[index]
            if effect.fingerprint == root_alert.fingerprint or not effect.active:
                continue
            yield LinkFact(
                id=f"link:{root_alert.fingerprint}:{effect.fingerprint}",
                cause=root_alert.fingerprint,
                effect=effect.fingerprint,
                cause_component=finding.root.component,
                effect_component=evidence[index].component,
                relation=relation,
                signal=evidence[index].signal.name,
                confidence=round(finding.root.confidence, 3),
                codes_known=root_alert.catalogued and effect.catalogued and root_alert.code != SILENT_CODE,
            ).to_fact()
