"""Makes incidents of what alerts at once in the graph of components: which root, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.root_cause.ranking import Suspect, diagnose, felt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.ranking import Evidence, Prior, Weights


@dataclass
class Finding:
    """One root and what it accounts for, as places in the evidence.

    explained: what a fault there shows. beside: what began with it and nothing else accounts for.
    ranked: all suspects as this root was chosen, likeliest first.
    """

    root: Suspect
    explained: set[int]
    ranked: Sequence[Suspect]
    beside: set[int] = field(default_factory=set)


def findings(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    weights: Weights,
    noticed: Collection[str] = (),
    priors: Sequence[Prior] = (),
) -> list[Finding]:
    """The roots, of each storm the likeliest first.

    What the first leaves unexplained has a root of its own where there is a sign of a cause at that root,
    or where the catalog knows it; else it is beside the first. noticed: the signals by which users notice
    it, where that is known otherwise than from the evidence.
    """
    return [
        finding
        for storm in storms(graph, evidence, weights)
        for finding in _of_storm(graph, evidence, storm, weights, noticed, priors)
    ]


def _of_storm(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    storm: Sequence[int],
    weights: Weights,
    noticed: Collection[str],
    priors: Sequence[Prior],
) -> list[Finding]:
    noticed = noticed or felt(graph, (evidence[number] for number in storm))
    found: list[Finding] = []
    rest = list(storm)
    while rest:
        if found and not _may_stand_apart([evidence[number] for number in rest], weights):
            found[0].beside.update(rest)
            break
        ranked = diagnose(graph, [evidence[number] for number in rest], weights, noticed, priors)
        root = next(each for each in ranked if not each.silent or believed(each, weights))
        explained = {rest[place] for place in root.explains}
        explained |= {number for number in rest if evidence[number].component == root.component}
        if not found or _stands_apart(root, [evidence[number] for number in explained], weights):
            found.append(Finding(root, explained, ranked))
        else:
            found[0].beside |= explained
        rest = [number for number in rest if number not in explained]
    return found


def _may_stand_apart(rest: Iterable[Evidence], weights: Weights) -> bool:
    """Whether any of what is left could be a root of its own, so that looking for it is worth while."""
    return any(_is_sign(each, weights) for each in rest)


def _is_sign(each: Evidence, weights: Weights) -> bool:
    return each.known or (not each.signal.spreads and each.strength >= weights.apart)


def believed(suspect: Suspect, weights: Weights) -> bool:
    """Whether enough of its callers fail to say that a component is the root which itself says nothing."""
    enough = suspect.callers_failing >= weights.silent_callers
    return enough and suspect.callers_failing >= weights.silent_share * suspect.callers


def _stands_apart(root: Suspect, explained: Iterable[Evidence], weights: Weights) -> bool:
    return any(_is_sign(each, weights) for each in explained if each.component == root.component)


def storms(graph: ComponentGraph, evidence: Sequence[Evidence], weights: Weights) -> Iterator[list[int]]:
    """Places in the evidence that are near each other in the graph and in time, by their beginning."""
    at: dict[str, list[int]] = {}
    for number, each in enumerate(evidence):
        at.setdefault(each.component, []).append(number)
    left = set(range(len(evidence)))
    while left:
        first = min(left, key=lambda number: (evidence[number].at, number))
        left.discard(first)
        storm, queue = [first], [first]
        while queue:
            here = evidence[queue.pop()]
            for name in _near(graph, here.component, weights.near):
                for number in at.get(name, ()):
                    if number in left and abs(evidence[number].at - here.at) <= weights.within:
                        left.discard(number)
                        storm.append(number)
                        queue.append(number)
        yield sorted(storm)


def _near(graph: ComponentGraph, name: str, steps: float) -> set[str]:
    found = edge = {name}
    for _ in range(int(steps)):
        edge = {other for each in edge for other in graph.neighbours(each)} - found
        found = found | edge
    return found
