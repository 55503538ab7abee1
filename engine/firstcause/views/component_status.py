"""How each component is now, how it was recently, and what of it changed last."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from firstcause.core.health.snapshot import to_observation
from firstcause.core.text.timestamps import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.health.snapshot import ProbeObservation, Snapshot
    from firstcause.core.reading import Reading
    from firstcause.hookspecs.types import Probe

SPARKLINE_SNAPSHOTS = 60
"""Snapshots that a sparkline goes through."""


def list_components(
    probes: Mapping[str, Probe], readings: Mapping[str, tuple[str, Reading]], snapshots: Sequence[Snapshot]
) -> list[dict[str, Any]]:
    """One a probe, the worst first. readings: the last of each. kept: snapshots, in order.

    latencies: milliseconds by snapshot, None where there were none. changed: when its status last did.
    """
    entries = []
    for name, probe in probes.items():
        observations = [
            (snapshot, snapshot.infrastructure[name])
            for snapshot in snapshots
            if name in snapshot.infrastructure
        ]
        current = _current_observation(name, readings, observations)
        entries.append(
            {
                "name": name,
                "component": probe.component,
                "status": current.status.value if current else None,
                "latency_ms": current.latency_ms if current else None,
                "detail": current.detail if current else "not looked at yet",
                "code": current.code if current else None,
                "data": dict(current.data) if current else {},
                "interval": probe.interval,
                "button": probe.button,
                "latencies": [observation.latency_ms for _snapshot, observation in observations],
                "changed": _last_change(observations),
            }
        )
    return sorted(entries, key=lambda entry: (-_status_rank(entry["status"]), entry["name"]))


def _status_rank(status: str | None) -> int:
    return ("UP", None, "DEGRADED", "DOWN").index(status)


def _current_observation(
    name: str,
    readings: Mapping[str, tuple[str, Reading]],
    observations: Sequence[tuple[Snapshot, ProbeObservation]],
) -> ProbeObservation | None:
    if name in readings:
        return to_observation(*readings[name], ())
    return observations[-1][1] if observations else None


def _last_change(observations: Sequence[tuple[Snapshot, ProbeObservation]]) -> dict[str, str | None] | None:
    for (_, before), (snapshot, after) in reversed(list(pairwise(observations))):
        if before.status is not after.status:
            return {
                "at": format_time(snapshot.taken_at),
                "before": before.status.value,
                "after": after.status.value,
            }
    return None


def build_strips(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Of each probe the stretches of one status: {name, up, runs: [{status, start, end}]}; up: a share."""
    names = dict.fromkeys(name for snapshot in snapshots for name in snapshot.infrastructure)
    return [_build_strip(name, snapshots) for name in names]


def _build_strip(name: str, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    statuses = [
        (
            snapshot.taken_at,
            snapshot.infrastructure[name].status.value if name in snapshot.infrastructure else None,
        )
        for snapshot in snapshots
    ]
    runs: list[dict[str, Any]] = []
    for status, group in groupby(statuses, key=lambda pair: pair[1]):
        times = [time for time, _ in group]
        if runs:
            # A status holds until another is seen.
            runs[-1]["end"] = times[0]
        runs.append({"status": status, "start": times[0], "end": times[-1]})
    observed_statuses = [status for _, status in statuses if status is not None]
    uptime_share = (
        sum(status == "UP" for status in observed_statuses) / len(observed_statuses)
        if observed_statuses
        else None
    )
    return {"name": name, "up": uptime_share, "runs": [run for run in runs if run["status"] is not None]}
