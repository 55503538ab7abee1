"""Attributes alerts to their causes: which alert may cause which, and what the verdicts choose."""

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


def in_scope(cause: Alert, effect: Alert) -> bool:
    """Whether a cause can affect the tenant of an effect: its own tenant, or all if it is platform-wide."""
    return cause.tenant is None or cause.tenant == effect.tenant


def find_candidates(visible: Sequence[Alert], graph: CauseGraph) -> list[Candidate]:
    """Find all pairs of cause and effect among the alerts of one scope; one pair an effect is the best."""
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
    """Sort by distance, then the same tenant, then the more severe, then the earlier."""
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
    """Choose the cause of each alert, by fingerprint; None for a root. The result never has a cycle."""
    chosen = {
        fingerprint: _choose_cause(alert, alerts, verdicts.get(fingerprint, ()))
        for fingerprint, alert in alerts.items()
    }
    for name in sorted(chosen, key=lambda fingerprint: (alerts[fingerprint].first_seen, fingerprint)):
        # Verdicts may form a cycle: the earliest alert of the cycle becomes the root.
        if _is_in_cycle(name, chosen):
            chosen[name] = None
    return chosen


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
    """Return the fingerprint at the top of the chain of causes above `name`."""
    while (parent := chosen[name]) is not None:
        name = parent
    return name


def strongest(verdicts: Iterable[Verdict], kind: VerdictKind) -> Verdict | None:
    """Return the verdict of one kind with the highest priority and confidence, None if there is none."""
    matching = [verdict for verdict in verdicts if verdict.verdict is kind]
    return max(matching, key=lambda verdict: (verdict.priority, verdict.confidence), default=None)
