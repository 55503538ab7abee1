"""Derives suspects and links, as facts for the rules, from active alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from firstcause.core.fact_kinds import LinkFact, SuspectFact
from firstcause.core.grouping.fingerprint import UNCATALOGUED, silent_fingerprint
from firstcause.core.model import Alert, Severity
from firstcause.core.root_cause.attribution import want_every_fact
from firstcause.core.root_cause.clustering import Finding, find_roots
from firstcause.core.root_cause.graphs import CauseGraph
from firstcause.core.root_cause.learned_chances import LearnedChances, to_kind
from firstcause.core.root_cause.ranking import (
    Evidence,
    Prior,
    compute_strength,
    diagnose,
    entry_point_signals,
)
from firstcause.core.topology.names import NamePolicy
from firstcause.core.topology.places import Places

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from firstcause.core.model import Fact, Sample
    from firstcause.core.root_cause.attribution import FactFilter
    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.ranking import Suspect, Weights
    from firstcause.core.root_cause.signals import Signal, Signals

SILENT_CODE = "SILENT_COMPONENT"
"""The code of the alert that stands for a silent root."""

_MAX_SUSPECT_FACTS = 5
_RECENT_S = 1800.0


@dataclass(frozen=True)
class DiagnosisInputs:
    """What the diagnosis is based on; all of it comes from rule files and configuration.

    islands: component -> the part of the graph that the site wrote down; two parts are apart.
    components: those that the site or learned edges name, apart from the shipped files.
    """

    graph: ComponentGraph
    signals: Signals
    weights: Weights
    names: NamePolicy = field(default_factory=NamePolicy)
    islands: Mapping[str, int] = field(default_factory=dict)
    components: frozenset[str] = frozenset()
    chances: LearnedChances = field(default_factory=LearnedChances)
    causes: CauseGraph = field(default_factory=lambda: CauseGraph({}))

    def is_symptom(self, code: str) -> bool:
        """Whether so much can cause the code that, unexplained, it needs no incident of its own."""
        return len(self.causes.find_causes(code)) >= self.weights.symptom_causes


@dataclass(frozen=True)
class SuspectAnalysis:
    """The result of the diagnosis in one scope.

    alerts: those that are evidence.
    findings: the roots, as indexes into `alerts`.
    silent: alerts that stand for silent components, by fingerprint. They last as long as an alert is
        attributed to them.
    doubtful: pairs of faults: a root, and the notified root that is hardly less likely.
    """

    alerts: tuple[Alert, ...]
    findings: tuple[Finding, ...]
    silent: Mapping[str, Alert]
    facts: tuple[Fact, ...]
    doubtful: frozenset[tuple[str, str]]


def build_evidence(alert: Alert, inputs: DiagnosisInputs, places: Places) -> Evidence | None:
    """Build the evidence of an alert; None if nothing says where it is or no signal matches."""
    place = places.locate(alert)
    if place.component is None or alert.code == SILENT_CODE:
        return None
    if not place.named and place.component not in inputs.graph:
        return None
    weight = weigh_alert(alert, inputs.signals, inputs.weights)
    if weight is None:
        return None
    signal, strength = weight
    return Evidence(
        component=place.component,
        signal=signal,
        strength=strength,
        time_s=alert.first_seen.timestamp(),
        label=alert.code,
        catalogued=alert.catalogued,
        symptom=alert.catalogued and place.named and inputs.is_symptom(alert.code),
        critical=alert.severity is Severity.CRITICAL,
        host=place.host if place.bound else None,
        named=place.named,
        chance=inputs.chances.estimate(place.component, to_kind(alert.code), signal.chance)
        if inputs.chances.storms
        else None,
    )


def place_alerts(alerts: Collection[Alert], inputs: DiagnosisInputs) -> tuple[DiagnosisInputs, Places]:
    """Locate the alerts; the graph then has the calls that their texts name, too."""
    places = Places(alerts, inputs.components, inputs.names)
    return replace(inputs, graph=inputs.graph.extend(places.edges)), places


class Weighable(Protocol):
    """The fields of an alert that decide its weight as evidence."""

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
    """Return the signal of an alert and its strength; None if no signal matches."""
    message = alert.sample.message if alert.sample else None
    code = alert.code if alert.code != UNCATALOGUED else None
    signal = signals.classify(code, alert.title, message)
    if signal is None:
        return None
    return signal, compute_strength(alert.count, _read_score(alert), alert.severity, weights)


def _read_score(alert: Weighable) -> float | None:
    """Read the detail `score`, the measured value as a multiple of its threshold; None without one."""
    value = alert.sample.details.get("score") if alert.sample else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class SuspectAnalyzer:
    """Finds the roots of the alerts in one scope after another. What scopes share is computed once.

    known_facts: the facts other than alerts.
    notified_faults: the roots of open incidents that people were notified of.
    is_wanted: which facts to build.
    """

    def __init__(
        self,
        inputs: DiagnosisInputs,
        known_facts: Sequence[Fact],
        notified_faults: Collection[str] = (),
        is_wanted: FactFilter = want_every_fact,
        places: Places | None = None,
    ) -> None:
        self._inputs = inputs
        self.places = places or Places((), inputs.components, inputs.names)
        self._notified_faults = notified_faults
        self._is_wanted = is_wanted
        self._priors = tuple(derive_priors(known_facts, inputs.weights))
        self._user_signals = user_visible_signals(known_facts, inputs.signals)
        self._evidence: dict[tuple[str, int | None], Evidence | None] = {}
        self._findings: dict[Hashable, list[Finding]] = {}

    def analyze(
        self, visible: Iterable[Alert], tenant: str | None, ended_alerts: Iterable[Alert] = ()
    ) -> SuspectAnalysis:
        """Find the roots of the alerts that are visible in the scope.

        tenant: of the scope, None for the platform.
        ended_alerts: alerts of open incidents that ended. They remain evidence, else the root would move
            while the failure is being fixed and its alerts end one by one.
        """
        considered = (*visible, *ended_alerts)
        pairs = [(alert, item) for alert in considered if (item := self._get_evidence(alert)) is not None]
        alerts = tuple(alert for alert, _item in pairs)
        evidence = [item for _alert, item in pairs]
        roots = self._find_roots(pairs, evidence)
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
            doubtful |= set(
                _find_doubtful(finding, root_alert, pairs, self._notified_faults, self._inputs.weights)
            )
            facts += _suspect_facts(finding, root_alert, index, self._is_wanted)
            facts += _link_facts(finding, root_alert, alerts, evidence, self._is_wanted, self._inputs.causes)
        return SuspectAnalysis(alerts, tuple(roots), silent, tuple(facts), frozenset(doubtful))

    def _get_evidence(self, alert: Alert) -> Evidence | None:
        key = alert.fingerprint, alert.stored_id
        if key not in self._evidence:
            self._evidence[key] = build_evidence(alert, self._inputs, self.places)
        return self._evidence[key]

    def _find_roots(
        self, pairs: Sequence[tuple[Alert, Evidence]], evidence: Sequence[Evidence]
    ) -> list[Finding]:
        """Find the roots; tenants that report the same have the same ones."""
        weights = self._inputs.weights
        incumbents = tuple(_incumbent_priors(pairs, self._notified_faults, weights))
        key = _to_evidence_key(evidence, weights), incumbents
        if key not in self._findings:
            self._findings[key] = find_roots(
                self._inputs.graph,
                evidence,
                weights,
                self._user_signals,
                (*self._priors, *incumbents),
                self._inputs.islands,
            )
        return self._findings[key]


def _to_evidence_key(evidence: Sequence[Evidence], weights: Weights) -> Hashable:
    """Return a key that is the same for evidence with the same roots.

    Where all of it is close in time, only the order counts.
    """
    times = sorted({item.time_s for item in evidence})
    is_close = not times or times[-1] - times[0] <= min(weights.skew, weights.within)
    places = {time: float(rank) if is_close else time - times[0] for rank, time in enumerate(times)}
    return tuple(
        (
            item.component,
            item.signal.name,
            item.strength,
            item.label,
            item.catalogued,
            item.critical,
            item.host,
            item.named,
            places[item.time_s],
        )
        for item in evidence
    )


def rank_suspects(
    visible: Iterable[Alert], inputs: DiagnosisInputs, known_facts: Sequence[Fact]
) -> list[Suspect]:
    """Rank all components that may be the root of the visible alerts, the likeliest first."""
    alerts = list(visible)
    inputs, places = place_alerts(alerts, inputs)
    evidence = [item for alert in alerts if (item := build_evidence(alert, inputs, places)) is not None]
    user_signals = user_visible_signals(known_facts, inputs.signals) or entry_point_signals(
        inputs.graph, evidence
    )
    return diagnose(
        inputs.graph, evidence, inputs.weights, user_signals, derive_priors(known_facts, inputs.weights)
    )


def user_visible_signals(known_facts: Iterable[Fact], signals: Signals) -> frozenset[str]:
    """Return the signals by which users notice the failure, as far as facts name them."""
    named = (
        signals.classify(str(fact["metric"]))
        for fact in known_facts
        if fact["kind"] == "symptom" and "metric" in fact
    )
    return frozenset(signal.name for signal in named if signal is not None)


def derive_priors(known_facts: Iterable[Fact], weights: Weights) -> Iterator[Prior]:
    """Derive priors of components from probes, changes and history."""
    for fact in known_facts:
        age = fact.get("age_s")
        is_recent = not isinstance(age, int | float) or age <= _RECENT_S
        match fact:
            case {"kind": "reading", "component": str(name), "status": "DOWN"}:
                yield Prior(name, weights.probe_down, "its probe says DOWN")
            case {"kind": "reading", "component": str(name), "status": "UP"}:
                yield Prior(name, weights.probe_up, "its probe reports UP")
            case {"kind": "change", "component": str(name), "name": change, "category": category} if (
                is_recent and category != "infrastructure"
            ):
                yield Prior(name, weights.changed, f"{change} of it changed not long ago")
            case {"kind": "past_root", "component": str(name), "incidents": int(incidents)}:
                yield Prior(
                    name,
                    weights.again,
                    f"it was the root of {incidents} recent incident{'s' if incidents > 1 else ''}",
                )
            case {"kind": "deploy", "service": str(name)} if is_recent:
                yield Prior(name, weights.changed, "it was deployed not long ago")


def _incumbent_priors(
    pairs: Iterable[tuple[Alert, Evidence]], notified_faults: Collection[str], weights: Weights
) -> Iterator[Prior]:
    for name in sorted({item.component for alert, item in pairs if alert.fault in notified_faults}):
        yield Prior(name, weights.incumbent, "people were notified that it is the root")


def _find_doubtful(
    finding: Finding,
    root_alert: Alert,
    pairs: Sequence[tuple[Alert, Evidence]],
    notified_faults: Collection[str],
    weights: Weights,
) -> Iterator[tuple[str, str]]:
    """Yield (fault of the root, notified fault) for each notified fault that is nearly as likely as the root.

    For such a pair the new root is shown, and nobody is notified of the switch.
    """
    # Example: people were notified that "cart" is the root. A minute later one more timeout makes "stock"
    # likelier by half a nat. A second message would send them to another component for a difference that the
    # next event may turn around, so it has to be likelier by `surely` (3 nats) first.
    #
    # Two cases are certain enough for a message at any distance. A strong sign of a cause at the root itself,
    # such as a full disk, is never a symptom of the notified root. And where the catalog knows both alerts,
    # its `causes` have decided, not these scores.
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
    """Choose the alert that stands for the root: a sign of a cause before a symptom, then the strongest."""
    own_indexes = [
        index
        for index in finding.explained
        if evidence[index].component == finding.root.component and alerts[index].active
    ]
    if not own_indexes:
        return None

    def rank(index: int) -> tuple[bool, float, float, str, str]:
        # The fault before the fingerprint: tenants with the same errors then have the same root.
        item, alert = evidence[index], alerts[index]
        return item.signal.spreads, -item.strength, item.time_s, alert.fault, alert.fingerprint

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


def _suspect_facts(
    finding: Finding, root_alert: Alert, finding_index: int, is_wanted: FactFilter
) -> Iterator[Fact]:
    for rank, suspect in enumerate(finding.ranked[:_MAX_SUSPECT_FACTS], 1):
        chosen = suspect.component == finding.root.component
        if not is_wanted("suspect", {"chosen": chosen, "silent": suspect.silent}):
            continue
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
    finding: Finding,
    root_alert: Alert,
    alerts: Sequence[Alert],
    evidence: Sequence[Evidence],
    is_wanted: FactFilter,
    causes: CauseGraph,
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
            both_known = root_alert.catalogued and effect.catalogued and root_alert.code != SILENT_CODE
            # What many things cause, and the root's own error at its callers, needs no incident of its own.
            joins = not effect.catalogued or evidence[index].symptom or root_alert.code == effect.code
            joins = joins or evidence[index].host is not None
            joins = joins and not (both_known and effect.code in causes.find_causes(root_alert.code))
            codes_known = both_known and not joins
            known_fields = {"relation": relation, "codes_known": codes_known, "joins": joins}
            if not is_wanted("link", known_fields):
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
                codes_known=codes_known,
                joins=joins,
            ).to_fact()
