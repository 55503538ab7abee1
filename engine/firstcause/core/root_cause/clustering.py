"""Splits simultaneous alerts into storms, and finds the roots of each storm and what follows from them."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.root_cause.ranking import MAX_STEPS, Suspect, diagnose, entry_point_signals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
    islands: Mapping[str, int] | None = None,
) -> list[Finding]:
    """Find the roots, the likeliest of each storm first.

    Evidence that the first root leaves unexplained gets a root of its own only if there is a sign of a cause
    at that root, or the catalog knows its alert. Otherwise it coincides with the first root.

    user_signals: the signals by which users notice the failure; empty to derive them from the evidence.
    islands: component -> the part of the graph that the site wrote down. Two parts are apart. None: all of
        the graph is written down.
    """
    islands = graph.number_islands() if islands is None else islands
    storms = join_storms(evidence, split_storms(graph, evidence, weights), weights, islands)
    return [
        finding
        for storm in storms
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
        explained |= _find_repeated(graph, evidence, unexplained, root.component)
        if not roots or _is_separate_root(root, [evidence[index] for index in explained], weights):
            roots.append(Finding(root, explained, ranked))
        else:
            roots[0].coincident |= explained
        unexplained = [index for index in unexplained if index not in explained]
    return roots


def _find_repeated(
    graph: ComponentGraph, evidence: Sequence[Evidence], unexplained: Sequence[int], root: str
) -> set[int]:
    """Find what callers report of the root in its own words: a full disk has the same code at both."""
    own_codes = {
        evidence[index].label
        for index in unexplained
        if evidence[index].component == root and evidence[index].catalogued
    }
    dependents = graph.dependents_of(root, MAX_STEPS) if own_codes else {}
    return {
        index
        for index in unexplained
        if evidence[index].label in own_codes and evidence[index].component in dependents
    }


def _may_have_separate_root(unexplained: Iterable[Evidence], weights: Weights) -> bool:
    """Whether any remaining evidence could be a root of its own, so that a search is worth its time."""
    return any(_is_cause_sign(item, weights) for item in unexplained)


def _is_cause_sign(evidence: Evidence, weights: Weights) -> bool:
    """Whether an alert says by itself that a fault is at its component."""
    if evidence.catalogued:
        return not evidence.symptom
    return not evidence.signal.spreads and evidence.strength >= weights.apart


def enough_callers_fail(suspect: Suspect, weights: Weights) -> bool:
    """Whether so many callers of a silent component fail that it may be the root."""
    is_enough = suspect.callers_failing >= weights.silent_callers
    return is_enough and suspect.callers_failing >= weights.silent_share * suspect.callers


def _is_separate_root(root: Suspect, explained: Collection[Evidence], weights: Weights) -> bool:
    """Whether an unexplained fault is one of its own: a known or critical one, or one with its own effects.

    Where detectors are noisy, a mild sign of a cause is there for no reason in every second storm.
    """
    signs = [
        item
        for item in explained
        if item.component == root.component and item.host is None and _is_cause_sign(item, weights)
    ]
    if any(item.catalogued or item.critical for item in signs):
        return True
    effects = {item.component for item in explained if item.signal.spreads} - {root.component}
    is_strong = any(item.strength >= weights.surely_apart for item in signs)
    return bool(signs) and len(effects) >= (1 if is_strong else weights.own_effects)


def join_storms(
    evidence: Sequence[Evidence],
    storms: Iterable[Sequence[int]],
    weights: Weights,
    islands: Mapping[str, int],
) -> list[list[int]]:
    """Join storms that began together where nothing says that they are apart.

    Two parts of a graph that the site wrote down are apart. So is what is about a host on which nothing else
    fails, unless so much fails that chance does not explain it.
    """
    ordered = sorted(storms, key=lambda storm: _storm_order(evidence, storm))
    joined: list[_JoinedStorm] = []
    for storm in sorted(ordered, key=lambda storm: _is_about_host(evidence, storm)):
        other = _JoinedStorm.of(evidence, storm, islands)
        target = next((group for group in joined if group.may_take(other, weights)), None)
        if target is None:
            joined.append(other)
        else:
            target.take(other)
    return [sorted(group.indexes) for group in joined]


def _storm_order(evidence: Sequence[Evidence], storm: Sequence[int]) -> tuple[float, str, str]:
    return min((evidence[index].time_s, evidence[index].component, evidence[index].label) for index in storm)


def _is_about_host(evidence: Sequence[Evidence], storm: Sequence[int]) -> bool:
    return all(evidence[index].host is not None for index in storm)


@dataclass
class _JoinedStorm:
    """Storms that are taken for one."""

    indexes: list[int]
    times: list[float]
    components: set[str]
    islands: set[int]
    about_host: bool
    joinable: bool

    @classmethod
    def of(
        cls, evidence: Sequence[Evidence], storm: Sequence[int], islands: Mapping[str, int]
    ) -> _JoinedStorm:
        items = [evidence[index] for index in storm]
        components = {item.component for item in items}
        return cls(
            list(storm),
            sorted(item.time_s for item in items),
            components,
            {islands[name] for name in components if name in islands},
            _is_about_host(evidence, storm),
            any(item.named for item in items),
        )

    def may_take(self, other: _JoinedStorm, weights: Weights) -> bool:
        if not (self.joinable and other.joinable and weights.join):
            return False
        if self.islands and other.islands and self.islands.isdisjoint(other.islands):
            return False
        if other.about_host and len(self.components) < weights.join_components:
            return False
        is_late = other.times[0] > self.times[0] + weights.within
        return not is_late and self._gap_s(other) <= weights.join

    def _gap_s(self, other: _JoinedStorm) -> float:
        """Seconds between the nearest alerts of the two."""
        place = bisect(self.times, other.times[0])
        before = other.times[0] - self.times[place - 1] if place else math.inf
        after = self.times[place] - other.times[0] if place < len(self.times) else math.inf
        return min(before, after)

    def take(self, other: _JoinedStorm) -> None:
        self.indexes += other.indexes
        self.times = sorted((*self.times, *other.times))
        self.components |= other.components
        self.islands |= other.islands


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
