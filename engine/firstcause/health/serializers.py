"""What users ask of health, answered in the words of the contract: plain JSON-ready values."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import Comparison, details
from firstcause.core.health.snapshot import COUNT, percentile
from firstcause.core.health.trend import Forecast, trend
from firstcause.core.text.timestamps import format_time
from firstcause.health.forecasts import evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.health.snapshot import Observed, Snapshot
    from firstcause.store.snapshots import Stored

UNKNOWN = "UNKNOWN"

_FARTHEST = 100 * 365 * 86400.0
"""Seconds ahead, beyond which a moment is as good as never."""


def infrastructure(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Probe -> what it saw."""
    return {name: _observed(each) for name, each in snapshot.infrastructure.items()}


def _observed(each: Observed) -> dict[str, Any]:
    return {
        "status": each.status.value,
        "component": each.component,
        "latency_ms": each.latency_ms,
        "detail": each.detail,
        **({"code": each.code} if each.code else {}),
        **({"data": each.data} if each.data else {}),
    }


def check_answer(
    snapshot: Snapshot, number: str | None = None, comparison: Comparison | None = None
) -> dict[str, Any]:
    """A health check as `check --json` shows it. Without a comparison where not everything was looked at."""
    found = details(comparison or Comparison(message="not all probes were asked, so nothing is compared"))
    found.pop("last_known_good_at")
    return {
        "status": _status(snapshot),
        "infrastructure": infrastructure(snapshot),
        "snapshot_id": number,
        "checked_at": format_time(snapshot.taken_at),
        "comparison": found,
        "time_since_last_good": found["time_since_last_good"],
        "last_known_good": found["last_known_good"],
        "last_known_good_at": format_time(comparison.good_at) if comparison is not None else None,
        "message": found["message"],
    }


def _status(snapshot: Snapshot) -> str:
    return snapshot.status.value if snapshot.status is not None else UNKNOWN


def health_answer(stored: Stored) -> dict[str, Any]:
    """The last full check."""
    return {
        "status": _status(stored.snapshot),
        "infrastructure": infrastructure(stored.snapshot),
        "snapshot_id": str(stored.number),
        "checked_at": format_time(stored.snapshot.taken_at),
    }


def row_answer(row: Mapping[str, Any], last_good: int | None) -> dict[str, Any]:
    """A snapshot as lists show it."""
    return {
        "id": str(row["id"]),
        "taken_at": format_time(row["taken_at"]),
        "status": row["status"],
        "good": row["good"],
        "pinned_by": row["pinned_by"],
        "pinned_at": format_time(row["pinned_at"]),
        "last_known_good": row["id"] == last_good,
    }


def snapshot_answer(stored: Stored, last_good: int | None) -> dict[str, Any]:
    """A whole snapshot, in the six parts that the seed names."""
    snapshot = stored.snapshot
    errors = snapshot.errors
    row = {
        "id": stored.number,
        "taken_at": snapshot.taken_at,
        "status": _status(snapshot),
        "good": stored.good,
        "pinned_by": stored.pinned_by,
        "pinned_at": stored.pinned_at,
    }
    return row_answer(row, last_good) | {
        "infrastructure": infrastructure(snapshot),
        "data": {
            f"{probe}.{name}": value for probe, name, value in snapshot.measurements() if name.endswith(COUNT)
        },
        "errors": {
            "seconds": errors.seconds,
            "critical": errors.critical,
            "warning": errors.warning,
            "info": errors.info,
            "per_minute": errors.per_minute,
            "top": [{"code": code, "count": count} for code, count in errors.top],
            "new": list(errors.new),
        },
        "performance": {
            name: {"latency_ms": each.latency_ms, "p95_ms": each.p95_ms, "p99_ms": each.p99_ms}
            for name, each in snapshot.infrastructure.items()
        },
        "configuration": dict(snapshot.configuration),
        "alerts": [each.model_dump(mode="json", exclude_none=True) for each in snapshot.alerts],
        "alerts_open": snapshot.alerts_open,
        "critical_open": snapshot.critical_open,
    }


def trend_answer(metric: str, minutes: float, points: Sequence[tuple[datetime, float]]) -> dict[str, Any]:
    """A metric over time. Numbers are None where there are no points, and the trend where there are few."""
    values = [value for _, value in points]
    found = trend([(at.timestamp(), value) for at, value in points])
    return {
        "metric": metric,
        "minutes": minutes,
        "points": [{"time": format_time(at), "value": value} for at, value in points],
        "count": len(points),
        "min": min(values, default=None),
        "median": median(values) if values else None,
        "p95": percentile(values, 0.95),
        "max": max(values, default=None),
        "last": values[-1] if values else None,
        "direction": found.direction if found is not None else None,
        "per_hour": found.per_hour if found is not None else None,
        "chance": found.chance if found is not None else None,
    }


def forecast_answer(
    metric: str, limit: float, points: Sequence[tuple[datetime, float]], found: Forecast | None
) -> dict[str, Any]:
    """When a metric reaches its limit. reached_at: None where it has no trend that leads there."""
    last = points[-1][0] if points else None

    def moment(ahead: float | None) -> str | None:
        if last is None or ahead is None or ahead > _FARTHEST:
            return None
        return format_time(last + timedelta(seconds=ahead))

    return {
        "metric": metric,
        "limit": limit,
        "count": len(points),
        "value": points[-1][1] if points else None,
        "per_hour": found.per_hour if found else None,
        "reached_at": moment(found.in_s if found else None),
        "earliest": moment(found.earliest_s if found else None),
        "latest": moment(found.latest_s if found else None),
        "confidence": found.confidence if found else None,
        "evidence": evidence(metric, found) if found else f"{metric} has no trend that leads to {limit:g}",
    }


def comparison_answer(before: str, after: str, comparison: Comparison) -> dict[str, Any]:
    """Two snapshots side by side."""
    found = details(comparison)
    for name in ("last_known_good", "last_known_good_at", "time_since_last_good"):
        found.pop(name)
    return {"before": before, "after": after, **found}
