"""Which of the changes likeliest explains that something is worse: by kind, time and distance.

Most outages that people write about follow a change, of configuration above all, then of code; so these
come first, the more the shorter before the onset and the nearer to what suffers.
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
    """How changes are weighed; rule files set these as thresholds `change_...`.

    environment, configuration, deployment, data, infrastructure: how often such a change is the cause of a
    regression. half_life: seconds before the onset after which a change counts half. late: what is left of
    one that came more than `skew` seconds after the onset. hop: what is left with each step between its
    component and one that suffers; apart: where no step leads there, and anywhere: where it has no component.
    unknown: the weight of a cause that is none of them.
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
    """Key of each change -> how likely it is the cause, 0 to 1, all together at most 1.

    suffering: components that are worse. steps: from the component that suffers down to one that changed,
    None where no way leads there.
    """
    scores = {change.key: _score_change(change, degraded, onset, count_hops, weights) for change in changes}
    total = sum(scores.values()) + weights.unknown
    if total <= 0:
        return {}
    return {key: round(score / total, 4) for key, score in scores.items() if score > 0}


def select_candidates(changes: Sequence[Difference], regressions: Sequence[Difference]) -> list[Difference]:
    """Those that may explain what is worse: where that is one component's alone, not what it is itself.

    That something is not looked at any more explains nothing.
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
