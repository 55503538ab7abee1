"""Attributes alerts to their causes: which alert may cause which, and what the verdicts choose."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Alert, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from firstcause.core.model import Scalar
    from firstcause.core.root_cause.graphs import CauseGraph
    from firstcause.core.root_cause.reach import Reach
    from firstcause.core.topology.places import Place

    FactFilter = Callable[[str, Mapping[str, Scalar]], bool]

_ATTRIBUTION_KINDS = (VerdictKind.ROOT_CAUSE, VerdictKind.CASCADE)

_MIN_ALIGNED = 2
"""Different root errors that there must be, to be aligned."""

_MAX_JUDGED = 100
"""Alerts of one code and tenant of which one is chosen as the cause of an effect."""

MAX_CAUSES_PER_EFFECT = 20
"""The pairs that an alert may be the effect of; its nearest causes."""


@dataclass(frozen=True)
class Candidate:
    """A pair of alerts of which one may have caused the other.

    lag_s: seconds from the first report of the cause to the first report of the effect. A negative lag is
        common: a health check finds the cause after its effects were reported.
    is_best: whether this is the nearest cause in the graph, the one that the shipped rules choose.
    """

    cause: Alert
    effect: Alert
    hops: int
    lag_s: float
    is_best: bool


def want_every_fact(_kind: str, _known_fields: Mapping[str, Scalar]) -> bool:
    """Want any fact. Another filter wants those of a kind with such fields that some rule can take."""
    return True


def in_scope(cause: Alert, effect: Alert) -> bool:
    """Whether a cause can affect the tenant of an effect: its own tenant, or all if it is platform-wide."""
    return cause.tenant is None or cause.tenant == effect.tenant


def find_candidates(
    visible: Sequence[Alert],
    graph: CauseGraph,
    is_wanted: FactFilter = want_every_fact,
    reach: Reach | None = None,
) -> list[Candidate]:
    """Find the wanted pairs of cause and effect in one scope; one pair an effect is the best.

    reach: which places reach each other; None where places are not known.

    An effect gets its nearest `MAX_CAUSES_PER_EFFECT` causes, so the pairs grow linearly with the alerts.
    """
    causes = _CauseIndex(visible, graph, is_wanted, reach)
    return [
        Candidate(cause, effect, hops, (effect.first_seen - cause.first_seen).total_seconds(), is_best)
        for effect in visible
        for hops, cause, is_best in causes.find(effect)
    ]


class _CauseIndex:
    """Finds the causes of an effect, the nearest first; those of one code, tenant and place have the same."""

    def __init__(
        self, visible: Sequence[Alert], graph: CauseGraph, is_wanted: FactFilter, reach: Reach | None
    ) -> None:
        self._graph = graph
        self._is_wanted = is_wanted
        self._reach = reach
        self._found: dict[tuple[str, str | None, Place | None], list[tuple[int, Alert, bool]]] = {}
        self._alerts: dict[tuple[str, str | None], list[Alert]] = {}
        self._codes = {alert.code for alert in visible}
        for alert in sorted(visible, key=_precedence_key):
            self._alerts.setdefault((alert.code, alert.tenant), []).append(alert)

    def find(self, effect: Alert) -> list[tuple[int, Alert, bool]]:
        """Return the causes with their steps, and whether each is the best."""
        place = self._reach.locate(effect) if self._reach is not None else None
        key = effect.code, effect.tenant, place
        if key not in self._found:
            self._found[key] = self._search(effect)
        return self._found[key]

    def _search(self, effect: Alert) -> list[tuple[int, Alert, bool]]:
        effect_code = effect.code
        all_hops = self._graph.find_causes(effect_code)
        hops_by_code = {code: all_hops[code] for code in all_hops.keys() & self._codes}
        if not hops_by_code:
            return []
        nearest = self._merge(hops_by_code, effect, 1)
        wanted_codes = {
            code: hops
            for code, hops in hops_by_code.items()
            if self._wants_pair(code, effect_code, is_best=False)
        }
        best = nearest[0] if nearest else None
        found = self._merge(wanted_codes, effect, MAX_CAUSES_PER_EFFECT)
        others = [(hops, cause, False) for hops, cause in found if best is None or cause is not best[1]]
        if best is None or not self._wants_pair(best[1].code, effect_code, is_best=True):
            return others
        return [(*best, True), *others[: MAX_CAUSES_PER_EFFECT - 1]]

    def _wants_pair(self, cause_code: str, effect_code: str, *, is_best: bool) -> bool:
        return self._is_wanted(
            "edge", {"cause_code": cause_code, "effect_code": effect_code, "best": is_best}
        )

    def _merge(self, hops_by_code: Mapping[str, int], effect: Alert, limit: int) -> list[tuple[int, Alert]]:
        """Return the nearest causes of these codes that can reach the effect.

        Those near by place come first, then by steps, then the same tenant, then by precedence.
        """
        tenant = effect.tenant
        lists = [
            [(hops, cause) for cause in self._list_reaching((code, owner), effect, limit)]
            for code, hops in hops_by_code.items()
            for owner in {tenant, None}
        ]
        return heapq.nsmallest(
            limit,
            itertools.chain.from_iterable(lists),
            key=lambda pair: (
                -self._judge_pair(pair[1], effect),
                pair[0],
                pair[1].tenant != tenant,
                *_precedence_key(pair[1]),
            ),
        )

    def _list_reaching(self, owner: tuple[str, str | None], effect: Alert, limit: int) -> list[Alert]:
        """List the first alerts of a code that can reach the effect, those that are near first."""
        alerts = self._alerts.get(owner, ())[:_MAX_JUDGED]
        reaching = [alert for alert in alerts if self._judge_pair(alert, effect) > 0]
        return sorted(reaching, key=lambda alert: -self._judge_pair(alert, effect))[:limit]

    def _judge_pair(self, cause: Alert, effect: Alert) -> int:
        return self._reach.judge(cause, effect) if self._reach is not None else 1


def _precedence_key(alert: Alert) -> tuple[int, float, str]:
    """Sort by severity, the more severe first, then the earlier."""
    return -alert.severity.rank, alert.first_seen.timestamp(), alert.fingerprint


def choose_causes(
    alerts: Mapping[str, Alert], verdicts: Mapping[str, Sequence[Verdict]]
) -> dict[str, str | None]:
    """Choose the cause of each alert, by fingerprint; None for a root. The result never has a cycle."""
    chosen = {
        fingerprint: _choose_cause(alert, alerts, verdicts.get(fingerprint, ()))
        for fingerprint, alert in alerts.items()
    }
    for name in sorted(chosen, key=lambda fingerprint: (alerts[fingerprint].first_seen, fingerprint)):
        # Verdicts may form a cycle: the earliest alert of the cycle becomes the root.
        if _is_in_cycle(name, chosen):
            chosen[name] = None
    align_tenants(alerts, chosen)
    return chosen


def align_tenants(alerts: Mapping[str, Alert], chosen: dict[str, str | None]) -> None:
    """Give tenants that have the same errors the same root, so that their storm is one incident.

    Two roots are aligned if each tenant has the other's root error among the effects of its own.

    chosen: the cause of each alert, None for a root; changed in place.
    """
    trees: dict[str, dict[str, str]] = {}
    for name in sorted(chosen):
        root = root_of(name, chosen)
        if alerts[root].tenant is not None and alerts[name].tenant == alerts[root].tenant:
            trees.setdefault(root, {})[alerts[name].fault] = name
    holders: dict[str, list[str]] = {}
    for root in trees:
        holders.setdefault(alerts[root].fault, []).append(root)
    if len(holders) < _MIN_ALIGNED:
        return
    ordered = sorted(holders, key=lambda fault: (-len(holders[fault]), fault))
    for root, members in trees.items():
        own_fault = alerts[root].fault
        lead = next(
            (
                fault
                for fault in ordered
                if fault in members
                and any(
                    own_fault in trees[other] and alerts[other].tenant != alerts[root].tenant
                    for other in holders[fault]
                )
            ),
            None,
        )
        if lead is not None and ordered.index(lead) < ordered.index(own_fault):
            chosen[members[lead]] = None
            chosen[root] = members[lead]


MANUAL_RULE = "manual override"
"""The rule of a verdict that a person gave."""

_MANUAL_PRIORITY = 1_000_000


def manual_verdict(effect: Alert, cause: Alert | None, actor: str, reason: str | None) -> Verdict:
    """Build the verdict of a person, which overrides every rule. cause: None if the alert is a root."""
    what = "root cause" if cause is None else "cause"
    return Verdict(
        rule=MANUAL_RULE,
        file="",
        line=0,
        verdict=VerdictKind.ROOT_CAUSE if cause is None else VerdictKind.CASCADE,
        of=effect.fingerprint,
        by=cause.fingerprint if cause is not None else None,
        because=f"{actor}: {reason}" if reason else f"{what} set by {actor}",
        priority=_MANUAL_PRIORITY,
    )


def rank_verdicts(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Sort the verdicts about the cause of an alert; the first that is possible wins."""
    return sorted(
        (verdict for verdict in verdicts if verdict.verdict in _ATTRIBUTION_KINDS),
        key=lambda verdict: (-verdict.priority, -verdict.confidence, verdict.rule, verdict.by or ""),
    )


def _choose_cause(alert: Alert, alerts: Mapping[str, Alert], verdicts: Sequence[Verdict]) -> str | None:
    for verdict in rank_verdicts(verdicts):
        if verdict.verdict is VerdictKind.ROOT_CAUSE:
            return None
        cause = alerts.get(verdict.by or "")
        if cause is None or cause.fingerprint == alert.fingerprint:
            continue
        if in_scope(cause, alert) or (verdict.across_tenants and alert.tenant is None):
            return cause.fingerprint
    return None


def _is_in_cycle(name: str, chosen: Mapping[str, str | None]) -> bool:
    visited: set[str] = set()
    current = chosen[name]
    while current is not None and current not in visited:
        if current == name:
            return True
        visited.add(current)
        current = chosen[current]
    return False


def root_of(name: str, chosen: Mapping[str, str | None]) -> str:
    """Return the fingerprint at the top of the chain of causes above `name`."""
    while (parent := chosen[name]) is not None:
        name = parent
    return name


def strongest(verdicts: Iterable[Verdict], kind: VerdictKind) -> Verdict | None:
    """Return the verdict of one kind with the highest priority and confidence, None if there is none."""
    matching = [verdict for verdict in verdicts if verdict.verdict is kind]
    return max(matching, key=lambda verdict: (verdict.priority, verdict.confidence), default=None)
