"""Splits simultaneous alerts into storms, and finds the roots of each storm and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.root_cause.ranking import Suspect, diagnose, entry_point_signals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from firstcause.core.root_cause.graphs import ComponentGraph
    from firstcause.core.root_cause.ranking import Evidence, Prior, Weights


_MAX_DIAGNOSED = 20_000
"""Pieces of evidence that the search for the roots of a storm weighs, over all its rounds but the first."""


@dataclass
class Finding:
    """One root and what it accounts for, as indexes into the evidence.

    explained: evidence that a fault at the root explains.
    coincident: evidence of the same storm that nothing explains.
    ranked: all suspects when this root was chosen, the likeliest first.
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
    """Find the roots, the likeliest of each storm first.

    Evidence that the first root leaves unexplained gets a root of its own only if there is a sign of a cause
    at that root, or the catalog knows its alert. Otherwise it coincides with the first root.

    user_signals: the signals by which users notice the failure; empty to derive them from the evidence.
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
    diagnosed = 0
    while unexplained:
        diagnosed += len(unexplained)
        if roots and diagnosed > _MAX_DIAGNOSED:
            # What is left belongs to no root; the catalog may still tell more of it.
            break
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
    """Whether any remaining evidence could be a root of its own, so that a search is worth its time."""
    return any(_is_cause_sign(item, weights) for item in unexplained)


def _is_cause_sign(evidence: Evidence, weights: Weights) -> bool:
    return evidence.catalogued or (not evidence.signal.spreads and evidence.strength >= weights.apart)


def enough_callers_fail(suspect: Suspect, weights: Weights) -> bool:
    """Whether so many callers of a silent component fail that it may be the root."""
    is_enough = suspect.callers_failing >= weights.silent_callers
    return is_enough and suspect.callers_failing >= weights.silent_share * suspect.callers


def _is_separate_root(root: Suspect, explained: Iterable[Evidence], weights: Weights) -> bool:
    return any(_is_cause_sign(item, weights) for item in explained if item.component == root.component)


def split_storms(
    graph: ComponentGraph, evidence: Sequence[Evidence], weights: Weights
) -> Iterator[list[int]]:
    """Yield indexes of evidence that is close in the graph and in time, the earliest storm first."""
    remaining: dict[str, list[int]] = {}
    for index, item in enumerate(evidence):
        remaining.setdefault(item.component, []).append(index)
    nearby: dict[str, set[str]] = {}
    taken: set[int] = set()
    for first in sorted(range(len(evidence)), key=lambda index: (evidence[index].time_s, index)):
        if first in taken:
            continue
        taken.add(first)
        storm, queue = [first], [first]
        while queue:
            current = evidence[queue.pop()]
            if current.component not in nearby:
                nearby[current.component] = _find_nearby(graph, current.component, weights.near)
            for name in nearby[current.component] & remaining.keys():
                # What was taken leaves the list, so that a storm costs no more than its size.
                left = [index for index in remaining.pop(name) if index not in taken]
                close = [
                    index for index in left if abs(evidence[index].time_s - current.time_s) <= weights.within
                ]
                taken.update(close)
                storm += close
                queue += close
                if len(close) < len(left):
                    remaining[name] = [index for index in left if index not in taken]
        yield sorted(storm)


def _find_nearby(graph: ComponentGraph, name: str, steps: float) -> set[str]:
    reached = frontier = {name}
    for _ in range(int(steps)):
        frontier = {
            neighbour for component in frontier for neighbour in graph.neighbours(component)
        } - reached
        reached = reached | frontier
    return reached
