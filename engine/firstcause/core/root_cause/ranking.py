"""Ranks the components that may be the root of what alerts show, with the evidence for and against each.

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

FARTHEST = 6
"""Steps in the graph that are looked at: beyond, hardly anything of a signal's chance is left."""

_OFTEN = 8
"""Times from which on more of the same says nothing more."""
_STEPS = 20
"""Of strength: each time that it rises by one, rules look again."""

OWN, CALLERS, CALLEES, SIBLINGS = "own", "callers", "callees", "siblings"


@dataclass(frozen=True)
class Weights:
    """What is weighed besides the kinds of signal; rule files set them as `thresholds`.

    hop: share of a signal's chance that is left with each further step.
    crowd: how soon more of the same evidence counts less. silence: what a suspect without an alert of its
    own loses, and quiet: what it loses for each caller that is well (both in nats). early: share that is
    left of evidence that began more than `skew` seconds before the suspect's own. unfelt: share that is
    left of symptoms of another kind than users feel. sharpness: of the confidence. barely: what an alert
    just over its threshold is worth; critical, warning, info: one without a score, by its severity.
    apart: how strong the own sign of a cause must be to stand beside another root in the same storm.
    silent_callers, silent_share: how many and which share of its callers must fail before a component
    that itself says nothing is taken for the root. within, near: seconds, and steps in the graph either
    way, between alerts of one storm.
    probe_down, probe_up, changed, again: nats for what its probe says, for a change of it not long ago,
    and for having been the root before; incumbent: for being the root that people were told of. surely:
    nats by which another must be likelier before people are told of it as well.
    """

    hop: float = 0.6
    crowd: float = 0.1
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


@dataclass(frozen=True)
class Evidence:
    """One alert as diagnosis sees it.

    at: seconds on any clock. strength: 0 to 1. what: as people say it. known: the catalog has it, so that
    its code tells more of its causes than its place does.
    """

    component: str
    signal: Signal
    strength: float
    at: float
    what: str
    known: bool = False


@dataclass(frozen=True)
class Prior:
    """Something known of a component besides alerts. weight: nats, below 0 where it speaks against it."""

    component: str
    weight: float
    text: str


@dataclass(frozen=True)
class Ground:
    """One reason for a suspect, or, with a weight below 0, against it. weight: nats."""

    weight: float
    text: str


@dataclass(frozen=True)
class Suspect:
    """A component that may be the root.

    confidence: 0 to 1, all suspects together make 1. silent: nothing alerts there. grounds: heaviest first.
    explains: the places in the evidence that a fault here accounts for. callers_failing: of its callers.
    """

    component: str
    score: float
    confidence: float
    silent: bool
    grounds: tuple[Ground, ...]
    explains: frozenset[int]
    callers: int
    callers_failing: int

    @property
    def because(self) -> list[str]:
        """What speaks for it, heaviest first."""
        return [ground.text for ground in self.grounds if ground.weight > 0]

    @property
    def against(self) -> list[str]:
        return [ground.text for ground in self.grounds if ground.weight < 0]


def strength(count: int, score: float | None, severity: Severity, weights: Weights) -> float:
    """How much an alert is to be believed, 0 to 1, in steps of 0.05.

    count: how often it was seen. score: how many times over its threshold it was, None where nobody says.
    """
    # Doublings, so that a storm makes rules look again a few times and not with each event.
    times = 1 << (min(count, _OFTEN).bit_length() - 1)
    often = times / (times + 1)
    if score is None:
        strong = float(getattr(weights, severity.value.lower()))
    else:
        far = math.log(max(score, 1.0))
        strong = weights.barely + (1 - weights.barely) * far / (far + 1)
    return round(strong * often * _STEPS) / _STEPS


def felt(graph: ComponentGraph, evidence: Iterable[Evidence]) -> frozenset[str]:
    """By which signals users notice it: those that travel towards them and have come all the way up."""
    return frozenset(
        each.signal.name
        for each in evidence
        if _travels_up(each.signal) and graph.callees(each.component) and not graph.callers(each.component)
    )


def _travels_up(signal: Signal) -> bool:
    return signal.callers > signal.callees


def diagnose(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    weights: Weights,
    noticed: Collection[str] = (),
    priors: Iterable[Prior] = (),
) -> list[Suspect]:
    """All that may be the root, likeliest first; of equals the first by name. Empty without evidence.

    noticed: the signals by which users notice it, none where that is not known; see `felt`.
    """
    cases = _cases(graph, evidence, weights, noticed)
    for prior in priors:
        if prior.component in cases:
            cases[prior.component].grounds.append(Ground(prior.weight, prior.text))
    suspects = {name: case.score(weights) for name, case in cases.items()}
    best = max(suspects.values(), default=0.0)
    shares = {name: math.exp(weights.sharpness * (score - best)) for name, score in suspects.items()}
    whole = sum(shares.values())
    ranked = sorted(suspects, key=lambda name: (-suspects[name], name))
    return [cases[name].suspect(suspects[name], shares[name] / whole, weights) for name in ranked]


def _cases(
    graph: ComponentGraph, evidence: Sequence[Evidence], weights: Weights, noticed: Collection[str]
) -> dict[str, _Case]:
    begun: dict[str, float] = {}
    for each in evidence:
        begun[each.component] = min(each.at, begun.get(each.component, each.at))
    cases: dict[str, _Case] = {}
    for number, each in enumerate(evidence):
        for name, relation, likely in _touched(graph, each, weights):
            case = cases.get(name)
            if case is None:
                case = cases[name] = _Case(name, graph, begun)
            case.hear(number, each, relation, _gain(each, likely, begun.get(name), weights, noticed))
    return cases


def _touched(graph: ComponentGraph, each: Evidence, weights: Weights) -> Iterable[tuple[str, str, float]]:
    """Who may have brought this about: component, what the alerting one is to it, and the chance."""
    signal, at = each.signal, each.component
    found: dict[str, tuple[str, float]] = {at: (OWN, signal.own)}
    below = graph.below(at, FARTHEST)
    above = graph.above(at, FARTHEST)
    for name, steps in below.items():
        found[name] = (CALLERS, signal.callers * weights.hop ** (steps - 1))
    for name, steps in above.items():
        # In a circle of calls one is both above and below; the likelier way counts.
        likely = signal.callees * weights.hop ** (steps - 1)
        if name not in found or likely > found[name][1]:
            found[name] = (CALLEES, likely)
    for name in graph.beside(at):
        if name not in found:
            found[name] = (SIBLINGS, signal.siblings)
    return [(name, relation, likely) for name, (relation, likely) in found.items()]


def _gain(
    each: Evidence, likely: float, begun: float | None, weights: Weights, noticed: Collection[str]
) -> float:
    """Nats that the evidence adds to a suspect whose own first alert was at `begun`."""
    chance = each.signal.chance
    gain = each.strength * math.log((chance + (1 - chance) * likely) / chance)
    if begun is not None and each.at < begun - weights.skew:
        gain *= weights.early
    if noticed and _travels_up(each.signal) and each.signal.name not in noticed:
        gain *= weights.unfelt
    return gain


class _Case:
    """What is heard for one suspect."""

    def __init__(self, name: str, graph: ComponentGraph, begun: Mapping[str, float]) -> None:
        self._name = name
        self._callers = graph.callers(name)
        self._begun = begun
        # By side and signal, of each component the best: more alerts on the same there say nothing new.
        self._heard: dict[tuple[str, str], dict[str, tuple[float, str]]] = defaultdict(dict)
        self._explains: set[int] = set()
        self.grounds: list[Ground] = []

    def hear(self, number: int, each: Evidence, relation: str, gain: float) -> None:
        if gain <= 0:
            return
        heard = self._heard[relation, each.signal.name]
        heard[each.component] = max(heard.get(each.component, (0.0, "")), (gain, each.what))
        self._explains.add(number)

    @property
    def _silent(self) -> bool:
        return self._name not in self._begun

    @property
    def _failing(self) -> int:
        return sum(caller in self._begun for caller in self._callers)

    def _weighed(self, weights: Weights) -> list[Ground]:
        grounds = []
        for (relation, signal), heard in self._heard.items():
            # fsum, so that the order in which alerts come never tips a balance.
            gain = math.fsum(gain for gain, _what in heard.values())
            crowded = gain if relation == OWN else gain / (1 + weights.crowd * gain)
            grounds.append(Ground(crowded, self._said(relation, signal)))
        if self._silent:
            grounds.append(Ground(-weights.silence, "no alert from it"))
            if quiet := len(self._callers) - self._failing:
                text = f"{quiet} of its {len(self._callers)} callers are well"
                grounds.append(Ground(-weights.quiet * quiet, text))
        return [*grounds, *self.grounds]

    def _said(self, relation: str, signal: str) -> str:
        who = self._heard[relation, signal]
        if relation == OWN:
            return f"its own {signal}: {who[self._name][1]}"
        if relation == CALLERS and self._silent and self._failing:
            return f"no alert from it; {self._failing} of its {len(self._callers)} callers fail by {signal}"
        named = ", ".join(sorted(who)[:_NAMED]) + (", ..." if len(who) > _NAMED else "")
        return f"{signal} at {len(who)} of its {relation}: {named}"

    def score(self, weights: Weights) -> float:
        return math.fsum(ground.weight for ground in self._weighed(weights))

    def suspect(self, score: float, confidence: float, weights: Weights) -> Suspect:
        return Suspect(
            component=self._name,
            score=score,
            confidence=confidence,
            silent=self._silent,
            grounds=tuple(sorted(self._weighed(weights), key=lambda each: (-abs(each.weight), each.text))),
            explains=frozenset(self._explains),
            callers=len(self._callers),
            callers_failing=self._failing,
        )


_NAMED = 4
