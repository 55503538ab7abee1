"""How every component is, how it was of late, and what of it changed last."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from firstcause.core.health.snapshot import observed
from firstcause.core.text.timestamps import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.health.snapshot import Observed, Snapshot
    from firstcause.core.model import Reading
    from firstcause.hookspecs.types import Probe

KEPT = 60
"""Snapshots that a sparkline goes through."""


def components(
    probes: Mapping[str, Probe], readings: Mapping[str, tuple[str, Reading]], kept: Sequence[Snapshot]
) -> list[dict[str, Any]]:
    """One a probe, the worst first. readings: the last of each. kept: snapshots, in order.

    latencies: milliseconds by snapshot, None where there were none. changed: when its status last did.
    """
    found = []
    for name, probe in probes.items():
        past = [(each, each.infrastructure[name]) for each in kept if name in each.infrastructure]
        now = _now(name, readings, past)
        found.append(
            {
                "name": name,
                "component": probe.component,
                "status": now.status.value if now else None,
                "latency_ms": now.latency_ms if now else None,
                "detail": now.detail if now else "not looked at yet",
                "code": now.code if now else None,
                "data": dict(now.data) if now else {},
                "interval": probe.interval,
                "button": probe.button,
                "latencies": [each.latency_ms for _snapshot, each in past],
                "changed": _changed(past),
            }
        )
    return sorted(found, key=lambda each: (-_rank(each["status"]), each["name"]))


def _rank(status: str | None) -> int:
    return ("UP", None, "DEGRADED", "DOWN").index(status)


def _now(
    name: str,
    readings: Mapping[str, tuple[str, Reading]],
    past: Sequence[tuple[Snapshot, Observed]],
) -> Observed | None:
    if name in readings:
        return observed(*readings[name], ())
    return past[-1][1] if past else None


def _changed(past: Sequence[tuple[Snapshot, Observed]]) -> dict[str, str | None] | None:
    for (_, before), (snapshot, after) in reversed(list(pairwise(past))):
        if before.status is not after.status:
            return {
                "at": format_time(snapshot.taken_at),
                "before": before.status.value,
                "after": after.status.value,
            }
    return None


def strips(kept: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Of each probe the stretches of one status: {name, up, runs: [{status, start, end}]}; up: a share."""
    names = dict.fromkeys(name for each in kept for name in each.infrastructure)
    return [_strip(name, kept) for name in names]


def _strip(name: str, kept: Sequence[Snapshot]) -> dict[str, Any]:
    seen = [
        (each.taken_at, each.infrastructure[name].status.value if name in each.infrastructure else None)
        for each in kept
    ]
    runs: list[dict[str, Any]] = []
    for status, group in groupby(seen, key=lambda pair: pair[1]):
        times = [at for at, _ in group]
        if runs:
            # A status holds until another is seen.
            runs[-1]["end"] = times[0]
        runs.append({"status": status, "start": times[0], "end": times[-1]})
    looked = [status for _, status in seen if status is not None]
    up = sum(status == "UP" for status in looked) / len(looked) if looked else None
    return {"name": name, "up": up, "runs": [run for run in runs if run["status"] is not None]}
