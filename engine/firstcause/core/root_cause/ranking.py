"""Ranks the components that may be the root of the alerts, with the evidence for and against each suspect.

A noisy-or over the graph of components, as in Pearl (Probabilistic Reasoning in Intelligent Systems, 1988,
4.3.2) and QMR-DT (Shwe et al., 1991): each kind of signal has a chance to show at the faulty component, at
its callers, its callees and its siblings, less with each step, and a chance to be there for no reason. What
an alert says for a suspect is the logarithm of how much likelier it is with that fault than without, times
how strong the alert is. Evidence of one kind from one side is correlated, so it counts less and less.
An alert that another suspect explains better speaks for that one; this is how symptoms are explained away.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from firstcause.core.model import Severity
    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.signals import Signal

MAX_STEPS = 6
"""Steps in the graph that are searched. Beyond them hardly anything of a signal's chance is left."""

_MAX_COUNT = 8
"""Occurrences beyond which more of the same adds nothing."""
_STRENGTH_STEPS = 20
"""Steps of strength from 0 to 1. Rules look at an alert again each time its strength rises by a step."""

OWN, CALLERS, CALLEES, SIBLINGS = "own", "callers", "callees", "siblings"


@dataclass(frozen=True)
class Weights:
    """Weights of the ranking, apart from the kinds of signal; rule files set them as `thresholds`.

    hop: share of a signal's chance that is left after one more step in the graph.
    crowd: how fast more evidence of one kind counts less.
    learned_crowd: the same where past storms taught how often alerts mean nothing, so that one that means
        something weighs more than many that do not.
    silence: nats that a suspect without an alert of its own loses.
    quiet: nats that such a suspect loses for each healthy caller.
    early: share that is left of evidence that began more than `skew` seconds before the suspect's own.
    unfelt: share that is left of symptoms of a kind that users do not notice.
    sharpness: of the confidence; higher values favour the best suspect more.
    barely: strength of an alert just over its threshold.
    critical, warning, info: strength of an alert without a score, by its severity.
    apart: strength that a component's own sign of a cause needs to be a second root in the same storm.
    silent_callers, silent_share: how many callers, and which share of all, must fail before a silent
        component is considered the root.
    join: seconds between alerts of one storm where no graph says that they are close; 0: they never are.
    join_components: components that a storm needs to take in what is about a host of its own.
    symptom_causes: causes in the catalog from which on a code is a symptom, and no cause of its own.
    own_effects: components that a mild sign of a cause must explain to be a second root.
    surely_apart: strength from which on one is enough.
    within, near: seconds, and steps in the graph, that separate alerts of one storm at most.
    probe_down, probe_up: nats for the status that its probe reports.
    changed: nats for a recent change. again: nats for having been the root before.
    incumbent: nats for being the root that people were notified of.
    surely: nats by which another root must be likelier before people are notified of it.
    """

    hop: float = 0.6
    crowd: float = 0.1
    learned_crowd: float = 2.0
    silence: float = 0.5
    quiet: float = 0.1
    early: float = 0.7
    skew: float = 60.0
    unfelt: float = 0.5
    sharpness: float = 2.0
    barely: float = 0.15
    critical: float = 1.0
    warning: float = 0.7
    info: float = 0.3
    apart: float = 0.6
    silent_callers: float = 3
    silent_share: float = 0.75
    within: float = 1800.0
    probe_down: float = 2.0
    probe_up: float = -1.0
    changed: float = 1.0
    again: float = 0.3
    incumbent: float = 0.5
    surely: float = 3.0
    near: float = 6
    join: float = 600.0
    join_components: float = 5
    symptom_causes: float = 45
    own_effects: float = 2
    surely_apart: float = 0.85


@dataclass(frozen=True)
class Evidence:
    """One alert as the diagnosis sees it.

    strength: 0 to 1.
    time_s: seconds on any clock.
    label: the alert as reasons name it.
    catalogued: whether the catalog has the alert, so that its code tells more about its cause than its
        component does.
    symptom: whether very much can cause its code. critical: its severity.
    host: the host that it is about, None for what is about a service.
    named: whether the alert itself says where it is, not only the catalog.
    chance: how often it is there without a fault, as learned; None for the chance of its signal.
    """

    component: str
    signal: Signal
    strength: float
    time_s: float
    label: str
    catalogued: bool = False
    symptom: bool = False
    critical: bool = False
    host: str | None = None
    named: bool = True
    chance: float | None = None


@dataclass(frozen=True)
class Prior:
    """What is known about a component apart from alerts. weight: nats, negative if it speaks against it."""

    component: str
    weight: float
    text: str


@dataclass(frozen=True)
class EvidenceTerm:
    """One reason for a suspect, or against it if the weight is negative. weight: nats."""

    weight: float
    text: str


@dataclass(frozen=True)
class Suspect:
    """A component that may be the root.

    score: nats. confidence: 0 to 1; those of all suspects add up to 1.
    silent: whether the component has no alert of its own.
    terms: the reasons, the heaviest first.
    explains: indexes of the evidence that a fault here explains.
    callers: how many components call it. callers_failing: how many of them have alerts.
    """

    component: str
    score: float
    confidence: float
    silent: bool
    terms: tuple[EvidenceTerm, ...]
    explains: frozenset[int]
    callers: int
    callers_failing: int

    @property
    def because(self) -> list[str]:
        """The reasons for the suspect, the heaviest first."""
        return [term.text for term in self.terms if term.weight > 0]

    @property
    def against(self) -> list[str]:
        return [term.text for term in self.terms if term.weight < 0]


def compute_strength(count: int, score: float | None, severity: Severity, weights: Weights) -> float:
    """Compute how strong an alert is as evidence, 0 to 1, in steps of 0.05.

    count: occurrences.
    score: the measured value as a multiple of its threshold, None if the sender reports none.
    """
    # The count is rounded down to a power of two, so that in a storm rules look at an alert again only
    # when its count has doubled, and not with each event.
    times = 1 << (min(count, _MAX_COUNT).bit_length() - 1)
    repetition = times / (times + 1)
    if score is None:
        base_strength = float(getattr(weights, severity.value.lower()))
    else:
        log_score = math.log(max(score, 1.0))
        base_strength = weights.barely + (1 - weights.barely) * log_score / (log_score + 1)
    return round(base_strength * repetition * _STRENGTH_STEPS) / _STRENGTH_STEPS


def entry_point_signals(graph: ComponentGraph, evidence: Iterable[Evidence]) -> frozenset[str]:
    """Find the signals by which users notice the failure: those that travel to callers, at entry points."""
    return frozenset(
        item.signal.name
        for item in evidence
        if _travels_up(item.signal) and graph.callees(item.component) and not graph.callers(item.component)
    )


def _travels_up(signal: Signal) -> bool:
    return signal.callers > signal.callees


def diagnose(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    weights: Weights,
    user_signals: Collection[str] = (),
    priors: Iterable[Prior] = (),
) -> list[Suspect]:
    """Rank all components that may be the root, the likeliest first, equals by name.

    user_signals: the signals by which users notice the failure, empty if they are unknown; see
        `entry_point_signals`.
    """
    candidates = _score_suspects(graph, evidence, weights, user_signals)
    for prior in priors:
        if prior.component in candidates:
            candidates[prior.component].terms.append(EvidenceTerm(prior.weight, prior.text))
    scores = {name: candidate.compute_score(weights) for name, candidate in candidates.items()}
    best = max(scores.values(), default=0.0)
    shares = {name: math.exp(weights.sharpness * (score - best)) for name, score in scores.items()}
    total = sum(shares.values())
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    return [candidates[name].build_suspect(scores[name], shares[name] / total, weights) for name in ranked]


def _score_suspects(
    graph: ComponentGraph, evidence: Sequence[Evidence], weights: Weights, user_signals: Collection[str]
) -> dict[str, _SuspectScore]:
    first_seen: dict[str, float] = {}
    for item in evidence:
        first_seen[item.component] = min(item.time_s, first_seen.get(item.component, item.time_s))
    candidates: dict[str, _SuspectScore] = {}
    for index, item in enumerate(evidence):
        for name, relation, likelihood in _find_possible_roots(graph, item, weights):
            candidate = candidates.get(name)
            if candidate is None:
                candidate = candidates[name] = _SuspectScore(name, graph, first_seen)
            candidate.add(
                index,
                item,
                relation,
                _compute_gain(item, likelihood, first_seen.get(name), weights, user_signals),
            )
    return candidates


def _find_possible_roots(
    graph: ComponentGraph, evidence: Evidence, weights: Weights
) -> Iterable[tuple[str, str, float]]:
    """Find the possible roots of one alert: component, the relation of the alerting one to it, the chance."""
    signal, component = evidence.signal, evidence.component
    chances: dict[str, tuple[str, float]] = {component: (OWN, signal.own)}
    dependencies = graph.dependencies_of(component, MAX_STEPS)
    dependents = graph.dependents_of(component, MAX_STEPS)
    for name, steps in dependencies.items():
        chances[name] = (CALLERS, signal.callers * weights.hop ** (steps - 1))
    for name, steps in dependents.items():
        # In a cycle of calls a component is both caller and callee; the likelier relation counts.
        likelihood = signal.callees * weights.hop ** (steps - 1)
        if name not in chances or likelihood > chances[name][1]:
            chances[name] = (CALLEES, likelihood)
    for name in graph.siblings_of(component):
        if name not in chances:
            chances[name] = (SIBLINGS, signal.siblings)
    return [(name, relation, likelihood) for name, (relation, likelihood) in chances.items()]


def _compute_gain(
    evidence: Evidence,
    likelihood: float,
    first_seen: float | None,
    weights: Weights,
    user_signals: Collection[str],
) -> float:
    """Nats that the evidence adds to a suspect whose own first alert was at `begun`."""
    chance = evidence.signal.chance if evidence.chance is None else evidence.chance
    gain = evidence.strength * math.log((chance + (1 - chance) * likelihood) / chance)
    if first_seen is not None and evidence.time_s < first_seen - weights.skew:
        gain *= weights.early
    if user_signals and _travels_up(evidence.signal) and evidence.signal.name not in user_signals:
        gain *= weights.unfelt
    return gain


class _SuspectScore:
    """Collects the evidence for one suspect."""

    def __init__(self, name: str, graph: ComponentGraph, first_seen: Mapping[str, float]) -> None:
        self._name = name
        self._callers = graph.callers(name)
        self._first_seen = first_seen
        # The best evidence of each component, by relation and signal: more of the same adds nothing new.
        self._best_by_signal: dict[tuple[str, str], dict[str, tuple[float, str]]] = defaultdict(dict)
        self._explains: set[int] = set()
        self.terms: list[EvidenceTerm] = []

    def add(self, index: int, evidence: Evidence, relation: str, gain: float) -> None:
        if gain <= 0:
            return
        best = self._best_by_signal[relation, evidence.signal.name]
        best[evidence.component] = max(best.get(evidence.component, (0.0, "")), (gain, evidence.label))
        self._explains.add(index)

    @property
    def _is_silent(self) -> bool:
        return self._name not in self._first_seen

    @property
    def _failing_callers(self) -> int:
        return sum(caller in self._first_seen for caller in self._callers)

    def _weigh_terms(self, weights: Weights) -> list[EvidenceTerm]:
        terms = []
        for (relation, signal), best in self._best_by_signal.items():
            # fsum, so that the order in which alerts come never tips a balance.
            gain = math.fsum(gain for gain, _label in best.values())
            crowded = gain if relation == OWN else gain / (1 + weights.crowd * gain)
            terms.append(EvidenceTerm(crowded, self._describe_evidence(relation, signal)))
        if self._is_silent:
            terms.append(EvidenceTerm(-weights.silence, "no alert from it"))
            if healthy := len(self._callers) - self._failing_callers:
                text = f"{healthy} of its {len(self._callers)} callers are healthy"
                terms.append(EvidenceTerm(-weights.quiet * healthy, text))
        return [*terms, *self.terms]

    def _describe_evidence(self, relation: str, signal: str) -> str:
        best = self._best_by_signal[relation, signal]
        if relation == OWN:
            return f"its own {signal}: {best[self._name][1]}"
        if relation == CALLERS and self._is_silent and self._failing_callers:
            failing = f"{self._failing_callers} of its {len(self._callers)} callers"
            return f"no alert from it; {failing} have {signal}"
        named = ", ".join(sorted(best)[:_MAX_NAMED]) + (", ..." if len(best) > _MAX_NAMED else "")
        return f"{signal} at {len(best)} of its {relation}: {named}"

    def compute_score(self, weights: Weights) -> float:
        return math.fsum(term.weight for term in self._weigh_terms(weights))

    def build_suspect(self, score: float, confidence: float, weights: Weights) -> Suspect:
        return Suspect(
            component=self._name,
            score=score,
            confidence=confidence,
            silent=self._is_silent,
            terms=tuple(sorted(self._weigh_terms(weights), key=lambda term: (-abs(term.weight), term.text))),
            explains=frozenset(self._explains),
            callers=len(self._callers),
            callers_failing=self._failing_callers,
        )


_MAX_NAMED = 4
