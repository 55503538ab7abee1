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
class Ranking:
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


def likelihoods(
    found: Sequence[Difference],
    suffering: Collection[str],
    onset: datetime,
    steps: Callable[[str, str], int | None],
    ranking: Ranking,
) -> dict[str, float]:
    """Key of each change -> how likely it is the cause, 0 to 1, all together at most 1.

    suffering: components that are worse. steps: from the component that suffers down to one that changed,
    None where no way leads there.
    """
    scores = {each.key: _score(each, suffering, onset, steps, ranking) for each in found}
    whole = sum(scores.values()) + ranking.unknown
    if whole <= 0:
        return {}
    return {key: round(score / whole, 4) for key, score in scores.items() if score > 0}


def candidates(found: Sequence[Difference], worse: Sequence[Difference]) -> list[Difference]:
    """Those that may explain what is worse: where that is one component's alone, not what it is itself.

    That something is not looked at any more explains nothing.
    """
    components = {each.component for each in worse} - {None}
    seen = [each for each in found if each.setting or each.after != ABSENT]
    return [each for each in seen if each.setting or each not in worse or len(components) > 1]


def _score(
    each: Difference,
    suffering: Collection[str],
    onset: datetime,
    steps: Callable[[str, str], int | None],
    ranking: Ranking,
) -> float:
    kinds: Mapping[str, float] = vars(ranking)
    kind = kinds.get(each.category, 0.0)
    ahead = (onset - (each.since or onset)).total_seconds()
    if ahead < -ranking.skew:
        when = ranking.late
    else:
        when = 0.5 ** (max(0.0, ahead) / ranking.half_life) if ranking.half_life > 0 else 1.0
    return kind * when * _near(each.component, suffering, steps, ranking)


def _near(
    component: str | None,
    suffering: Collection[str],
    steps: Callable[[str, str], int | None],
    ranking: Ranking,
) -> float:
    if component is None or not suffering:
        return ranking.anywhere
    known = [far for each in suffering if (far := steps(component, each)) is not None]
    return ranking.hop ** min(known) if known else ranking.apart
