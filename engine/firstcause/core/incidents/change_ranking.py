"""Ranks changes by how likely they caused a regression: by kind, time and distance.

Most outages in published postmortems follow a change, most often of configuration, then of code. So these
kinds weigh most, and the more the closer they are in time to the onset and in the graph to what is degraded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.health.snapshot import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.health.comparison import Difference


@dataclass(frozen=True)
class ChangeWeights:
    """Weights of changes; rule files set these as thresholds `change_...`.

    environment, configuration, deployment, data, infrastructure: how often a change of that category causes
        a regression.
    half_life: seconds before the onset after which a change counts half.
    late: share that a change counts that came more than `skew` seconds after the onset.
    hop: share that is left with each step from the degraded component to the changed one.
    apart: share if no path leads there. anywhere: share if the change has no component.
    unknown: weight of a cause that is not among the changes.
    """

    environment: float = 0.9
    configuration: float = 0.9
    deployment: float = 0.9
    data: float = 0.3
    infrastructure: float = 0.5
    half_life: float = 3600.0
    late: float = 0.05
    skew: float = 60.0
    hop: float = 0.7
    apart: float = 0.2
    anywhere: float = 0.7
    unknown: float = 0.1


def rank_changes(
    changes: Sequence[Difference],
    degraded: Collection[str],
    onset: datetime,
    count_hops: Callable[[str, str], int | None],
    weights: ChangeWeights,
) -> dict[str, float]:
    """Compute how likely each change is the cause, by its key: 0 to 1, all together at most 1.

    degraded: components that are worse.
    onset: when the regression began.
    count_hops: steps from a degraded component to a changed one, None if no path leads there.
    """
    scores = {change.key: _score_change(change, degraded, onset, count_hops, weights) for change in changes}
    total = sum(scores.values()) + weights.unknown
    if total <= 0:
        return {}
    return {key: round(score / total, 4) for key, score in scores.items() if score > 0}


def select_candidates(changes: Sequence[Difference], regressions: Sequence[Difference]) -> list[Difference]:
    """Select the changes that may explain the regressions.

    A regression does not explain itself: if only one component is worse, its regressions are left out.
    A measurement that is missing now explains nothing.
    """
    components = {change.component for change in regressions} - {None}
    present = [change for change in changes if change.is_setting or change.after != ABSENT]
    return [
        change for change in present if change.is_setting or change not in regressions or len(components) > 1
    ]


def _score_change(
    change: Difference,
    degraded: Collection[str],
    onset: datetime,
    count_hops: Callable[[str, str], int | None],
    weights: ChangeWeights,
) -> float:
    category_weights: Mapping[str, float] = vars(weights)
    category_weight = category_weights.get(change.category, 0.0)
    lead_time_s = (onset - (change.since or onset)).total_seconds()
    if lead_time_s < -weights.skew:
        recency = weights.late
    else:
        recency = 0.5 ** (max(0.0, lead_time_s) / weights.half_life) if weights.half_life > 0 else 1.0
    return category_weight * recency * _score_proximity(change.component, degraded, count_hops, weights)


def _score_proximity(
    component: str | None,
    degraded: Collection[str],
    count_hops: Callable[[str, str], int | None],
    weights: ChangeWeights,
) -> float:
    if component is None or not degraded:
        return weights.anywhere
    distances = [
        hops
        for degraded_component in degraded
        if (hops := count_hops(component, degraded_component)) is not None
    ]
    return weights.hop ** min(distances) if distances else weights.apart
