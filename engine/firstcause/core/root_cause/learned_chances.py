"""How often each kind of alert is there without a fault at its component, learned from past storms.

Only confirmed roots teach: those that a person, a probe or a trace named. What the diagnosis itself concluded
does not, since a component that often is the root would then unlearn itself.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from firstcause.core.model import Frozen
from firstcause.core.text.words import split_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRIOR_STORMS = 5.0
"""Storms that the share in the rule files counts for."""
_LOWEST_CHANCE, _HIGHEST_CHANCE = 0.005, 0.95

Count = Annotated[int, Field(ge=0)]

_NOT_WORDS = re.compile(r"[^a-z]+")


def to_kind(code: str) -> str:
    """Return the kind of an alert by the words of its code: CpuHigh2 and CPU_HIGH are one kind."""
    return _NOT_WORDS.sub(" ", split_words(code).lower()).strip()[:80] or "alert"


class LearnedChances(Frozen):
    """What past storms teach, as rule files have it under `learned`.

    storms: storms with a confirmed root. roots: component -> in how many of them it was the root.
    shown: component -> kind of alert -> in how many storms with another root it alerted.
    """

    storms: Count = 0
    roots: dict[str, Count] = Field(default_factory=dict)
    shown: dict[str, dict[str, Count]] = Field(default_factory=dict)

    def estimate(self, component: str, kind: str, base: float) -> float:
        """Estimate the chance of an alert without a fault at its component. base: that of its signal."""
        others = max(0, self.storms - self.roots.get(component, 0))
        if not others:
            return base
        times = min(self.shown.get(component, {}).get(kind, 0), others)
        seen = (times + 0.25) / (others + 1)
        shrunk = (seen * others + base * PRIOR_STORMS) / (others + PRIOR_STORMS)
        return min(_HIGHEST_CHANCE, max(_LOWEST_CHANCE, shrunk))

    def combine(self, other: LearnedChances) -> LearnedChances:
        """Return what both teach together."""
        if not other.storms:
            return self
        names = {*self.shown, *other.shown}
        return LearnedChances(
            storms=self.storms + other.storms,
            roots=dict(Counter(self.roots) + Counter(other.roots)),
            shown={
                name: dict(Counter(self.shown.get(name, {})) + Counter(other.shown.get(name, {})))
                for name in sorted(names)
            },
        )


def learn_chances(storms: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> LearnedChances:
    """Learn from storms: each its confirmed root, and the (component, code) of its alerts."""
    count = 0
    roots: Counter[str] = Counter()
    shown: dict[str, Counter[str]] = {}
    for root, alerts in storms:
        count += 1
        roots[root] += 1
        for component, code in {(component, to_kind(code)) for component, code in alerts}:
            if component != root:
                shown.setdefault(component, Counter())[code] += 1
    ordered: Mapping[str, Counter[str]] = dict(sorted(shown.items()))
    return LearnedChances(
        storms=count,
        roots=dict(sorted(roots.items())),
        shown={name: dict(sorted(kinds.items())) for name, kinds in ordered.items()},
    )
