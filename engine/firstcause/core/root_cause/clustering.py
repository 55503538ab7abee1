"""Makes incidents of what alerts at once in the graph of components: which root, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.root_cause.ranking import Suspect, diagnose, entry_point_signals

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
    coincident: set[int] = field(default_factory=set)


def find_roots(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    weights: Weights,
    user_signals: Collection[str] = (),
    priors: Sequence[Prior] = (),
) -> list[Finding]:
    """The roots, of each storm the likeliest first.

    What the first leaves unexplained has a root of its own where there is a sign of a cause at that root,
    or where the catalog knows it; else it is beside the first. noticed: the signals by which users notice
    it, where that is known otherwise than from the evidence.
    """
    return [
        finding
        for storm in split_storms(graph, evidence, weights)
        for finding in _find_storm_roots(graph, evidence, storm, weights, user_signals, priors)
    ]


def _find_storm_roots(
    graph: ComponentGraph,
    evidence: Sequence[Evidence],
    storm: Sequence[int],
    weights: Weights,
    user_signals: Collection[str],
    priors: Sequence[Prior],
) -> list[Finding]:
    user_signals = user_signals or entry_point_signals(graph, (evidence[index] for index in storm))
    roots: list[Finding] = []
    unexplained = list(storm)
    while unexplained:
        if roots and not _may_have_separate_root([evidence[index] for index in unexplained], weights):
            roots[0].coincident.update(unexplained)
            break
        ranked = diagnose(graph, [evidence[index] for index in unexplained], weights, user_signals, priors)
        root = next(
            suspect for suspect in ranked if not suspect.silent or enough_callers_fail(suspect, weights)
        )
        explained = {unexplained[position] for position in root.explains}
        explained |= {index for index in unexplained if evidence[index].component == root.component}
        if not roots or _is_separate_root(root, [evidence[index] for index in explained], weights):
            roots.append(Finding(root, explained, ranked))
        else:
            roots[0].coincident |= explained
        unexplained = [index for index in unexplained if index not in explained]
    return roots


def _may_have_separate_root(unexplained: Iterable[Evidence], weights: Weights) -> bool:
    """Whether any of what is left could be a root of its own, so that looking for it is worth while."""
    return any(_is_cause_sign(item, weights) for item in unexplained)


def _is_cause_sign(evidence: Evidence, weights: Weights) -> bool:
    return evidence.catalogued or (not evidence.signal.spreads and evidence.strength >= weights.apart)


def enough_callers_fail(suspect: Suspect, weights: Weights) -> bool:
    """Whether enough of its callers fail to say that a component is the root which itself says nothing."""
    is_enough = suspect.callers_failing >= weights.silent_callers
    return is_enough and suspect.callers_failing >= weights.silent_share * suspect.callers


def _is_separate_root(root: Suspect, explained: Iterable[Evidence], weights: Weights) -> bool:
    return any(_is_cause_sign(item, weights) for item in explained if item.component == root.component)


def split_storms(
    graph: ComponentGraph, evidence: Sequence[Evidence], weights: Weights
) -> Iterator[list[int]]:
    """Places in the evidence that are near each other in the graph and in time, by their beginning."""
    by_component: dict[str, list[int]] = {}
    for index, item in enumerate(evidence):
        by_component.setdefault(item.component, []).append(index)
    remaining = set(range(len(evidence)))
    while remaining:
        first = min(remaining, key=lambda index: (evidence[index].time_s, index))
        remaining.discard(first)
        storm, queue = [first], [first]
        while queue:
            current = evidence[queue.pop()]
            for name in _find_nearby(graph, current.component, weights.near):
                for index in by_component.get(name, ()):
                    if index in remaining and abs(evidence[index].time_s - current.time_s) <= weights.within:
                        remaining.discard(index)
                        storm.append(index)
                        queue.append(index)
        yield sorted(storm)


def _find_nearby(graph: ComponentGraph, name: str, steps: float) -> set[str]:
    reached = frontier = {name}
    for _ in range(int(steps)):
        frontier = {
            neighbour for component in frontier for neighbour in graph.neighbours(component)
        } - reached
        reached = reached | frontier
    return reached
