"""Which active alert may cause which, and what the rules' verdicts make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import Alert, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.core.root_cause.graphs import CauseGraph

_ATTRIBUTION_KINDS = (VerdictKind.ROOT_CAUSE, VerdictKind.CASCADE)


@dataclass(frozen=True)
class Candidate:
    """cause may have caused effect. lag_s: seconds from the cause's first report to the effect's.

    A negative lag is common: a health check finds the cause after its effects were reported.
    best: the nearest cause in the graph, the one that the shipped rules take.
    """

    cause: Alert
    effect: Alert
    hops: int
    lag_s: float
    is_best: bool


def in_scope(cause: Alert, effect: Alert) -> bool:
    """A platform-wide cause reaches every tenant; a tenant's own reaches only that tenant."""
    return cause.tenant is None or cause.tenant == effect.tenant


def find_candidates(visible: Sequence[Alert], graph: CauseGraph) -> list[Candidate]:
    """All pairs of cause and effect among alerts of one scope; of each effect's, one is `best`."""
    by_code: dict[str, list[Alert]] = {}
    for alert in visible:
        by_code.setdefault(alert.code, []).append(alert)
    pairs: list[Candidate] = []
    for effect in visible:
        causes = [
            (hops, cause)
            for code, hops in graph.find_causes(effect.code).items()
            for cause in by_code.get(code, ())
            if in_scope(cause, effect)
        ]
        causes.sort(key=lambda pair: _proximity_key(pair[0], pair[1], effect))
        pairs += [
            Candidate(cause, effect, hops, (effect.first_seen - cause.first_seen).total_seconds(), rank == 0)
            for rank, (hops, cause) in enumerate(causes)
        ]
    return pairs


def _proximity_key(hops: int, cause: Alert, effect: Alert) -> tuple[int, bool, int, float, str]:
    """Nearest first; then the same tenant, the more severe, the earlier."""
    return (
        hops,
        cause.tenant != effect.tenant,
        -cause.severity.rank,
        cause.first_seen.timestamp(),
        cause.fingerprint,
    )


def choose_causes(
    alerts: Mapping[str, Alert], verdicts: Mapping[str, Sequence[Verdict]]
) -> dict[str, str | None]:
    """The cause of each alert, by fingerprint, None for a root; free of cycles whatever the rules said."""
    chosen = {
        fingerprint: _choose_cause(alert, alerts, verdicts.get(fingerprint, ()))
        for fingerprint, alert in alerts.items()
    }
    for name in sorted(chosen, key=lambda fingerprint: (alerts[fingerprint].first_seen, fingerprint)):
        # The earliest of a circle of causes is its root.
        if _is_in_cycle(name, chosen):
            chosen[name] = None
    return chosen


MANUAL_RULE = "by hand"
"""The rule of a verdict that a person gave."""

_MANUAL_PRIORITY = 1_000_000


def manual_verdict(effect: Alert, cause: Alert | None, actor: str, reason: str | None) -> Verdict:
    """A person's word on the cause of an alert, by None: it is a root. It holds against every rule."""
    return Verdict(
        rule=MANUAL_RULE,
        file="",
        line=0,
        verdict=VerdictKind.ROOT_CAUSE if cause is None else VerdictKind.CASCADE,
        of=effect.fingerprint,
        by=cause.fingerprint if cause is not None else None,
        because=f"{actor}: {reason}" if reason else f"{actor} said so",
        priority=_MANUAL_PRIORITY,
    )


def rank_verdicts(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What was said of an alert's cause; the first that can be true holds."""
    return sorted(
        (verdict for verdict in verdicts if verdict.verdict in _ATTRIBUTION_KINDS),
        key=lambda verdict: (-verdict.priority, -verdict.confidence, verdict.rule, verdict.by or ""),
    )


def _choose_cause(alert: Alert, alerts: Mapping[str, Alert], verdicts: Sequence[Verdict]) -> str | None:
    for verdict in rank_verdicts(verdicts):
        if verdict.verdict is VerdictKind.ROOT_CAUSE:
            return None
        cause = alerts.get(verdict.by or "")
        if cause is not None and cause.fingerprint != alert.fingerprint and in_scope(cause, alert):
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
    """The alert at the top of the chain of causes above `name`."""
    while (parent := chosen[name]) is not None:
        name = parent
    return name


def strongest(verdicts: Iterable[Verdict], kind: VerdictKind) -> Verdict | None:
    """Of the verdicts of one kind the one that holds."""
    matching = [verdict for verdict in verdicts if verdict.verdict is kind]
    return max(matching, key=lambda verdict: (verdict.priority, verdict.confidence), default=None)
