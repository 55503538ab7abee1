"""Answers about health as JSON-ready values, with the field names of the contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import Comparison, comparison_details
from firstcause.core.health.snapshot import COUNT_UNIT, Snapshot, percentile, to_observation
from firstcause.core.health.trend import Forecast, detect_trend
from firstcause.core.text.timestamps import format_time
from firstcause.health.forecasts import format_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.health.snapshot import ProbeObservation
    from firstcause.core.reading import Reading
    from firstcause.store.snapshots import StoredSnapshot

UNKNOWN = "UNKNOWN"

_MAX_FORECAST_S = 100 * 365 * 86400.0
"""Seconds; a forecast beyond that is shown as never."""


def serialize_infrastructure(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Return by probe what it observed."""
    return {name: _serialize_observed(observed) for name, observed in snapshot.infrastructure.items()}


def _serialize_observed(observed: ProbeObservation) -> dict[str, Any]:
    return {
        "status": observed.status.value,
        "component": observed.component,
        "latency_ms": observed.latency_ms,
        "detail": observed.detail,
        **({"code": observed.code} if observed.code else {}),
        **({"data": observed.data} if observed.data else {}),
    }


def serialize_check(
    snapshot: Snapshot, snapshot_id: str | None = None, comparison: Comparison | None = None
) -> dict[str, Any]:
    """Serialize a health check as `check --json` shows it. comparison: None if not all probes ran."""
    comparison_fields = comparison_details(
        comparison or Comparison(message="not all probes ran, so nothing is compared")
    )
    comparison_fields.pop("last_known_good_at")
    return {
        "status": _format_status(snapshot),
        "infrastructure": serialize_infrastructure(snapshot),
        "snapshot_id": snapshot_id,
        "checked_at": format_time(snapshot.taken_at),
        "comparison": comparison_fields,
        "time_since_last_good": comparison_fields["time_since_last_good"],
        "last_known_good": comparison_fields["last_known_good"],
        "last_known_good_at": format_time(comparison.good_at) if comparison is not None else None,
        "message": comparison_fields["message"],
    }


def serialize_readings(readings: Mapping[str, tuple[str, Reading]], now: datetime) -> dict[str, Any]:
    """A check of some probes as JSON. readings: name -> component and reading."""
    observations = {
        name: to_observation(component, reading) for name, (component, reading) in readings.items()
    }
    return serialize_check(Snapshot(taken_at=now, infrastructure=observations))


def _format_status(snapshot: Snapshot) -> str:
    return snapshot.status.value if snapshot.status is not None else UNKNOWN


def serialize_health(stored: StoredSnapshot | None) -> dict[str, Any]:
    """Serialize the last full check; the status is UNKNOWN where there was none."""
    if stored is None:
        return {"status": UNKNOWN, "infrastructure": {}, "snapshot_id": None, "checked_at": None}
    return {
        "status": _format_status(stored.snapshot),
        "infrastructure": serialize_infrastructure(stored.snapshot),
        "snapshot_id": str(stored.snapshot_id),
        "checked_at": format_time(stored.snapshot.taken_at),
    }


def serialize_snapshot_row(row: Mapping[str, Any], last_good: int | None) -> dict[str, Any]:
    """Serialize a snapshot as lists show it. last_good: id of the last known good state."""
    return {
        "id": str(row["id"]),
        "taken_at": format_time(row["taken_at"]),
        "status": row["status"],
        "good": row["good"],
        "pinned_by": row["pinned_by"],
        "pinned_at": format_time(row["pinned_at"]),
        "last_known_good": row["id"] == last_good,
    }


def serialize_snapshot(stored: StoredSnapshot, last_good: int | None) -> dict[str, Any]:
    """Serialize a whole snapshot in its six parts, from infrastructure to alerts."""
    snapshot = stored.snapshot
    errors = snapshot.errors
    row = {
        "id": stored.snapshot_id,
        "taken_at": snapshot.taken_at,
        "status": _format_status(snapshot),
        "good": stored.good,
        "pinned_by": stored.pinned_by,
        "pinned_at": stored.pinned_at,
    }
    return serialize_snapshot_row(row, last_good) | {
        "infrastructure": serialize_infrastructure(snapshot),
        "data": {
            f"{probe}.{name}": value
            for probe, name, value in snapshot.measurements()
            if name.endswith(COUNT_UNIT)
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
            name: {"latency_ms": observed.latency_ms, "p95_ms": observed.p95_ms, "p99_ms": observed.p99_ms}
            for name, observed in snapshot.infrastructure.items()
        },
        "configuration": dict(snapshot.configuration),
        "alerts": [alert.model_dump(mode="json", exclude_none=True) for alert in snapshot.alerts],
        "alerts_open": snapshot.alerts_open,
        "critical_open": snapshot.critical_open,
    }


def serialize_trend(metric: str, minutes: float, points: Sequence[tuple[datetime, float]]) -> dict[str, Any]:
    """Serialize a metric over time. Without points numbers are None; with few points the trend is."""
    values = [value for _, value in points]
    fitted = detect_trend([(time.timestamp(), value) for time, value in points])
    return {
        "metric": metric,
        "minutes": minutes,
        "points": [{"time": format_time(time), "value": value} for time, value in points],
        "count": len(points),
        "min": min(values, default=None),
        "median": median(values) if values else None,
        "p95": percentile(values, 0.95),
        "max": max(values, default=None),
        "last": values[-1] if values else None,
        "direction": fitted.direction if fitted is not None else None,
        "per_hour": fitted.per_hour if fitted is not None else None,
        "chance": fitted.p_value if fitted is not None else None,
    }


def serialize_forecast(
    metric: str, limit: float, points: Sequence[tuple[datetime, float]], prediction: Forecast | None
) -> dict[str, Any]:
    """Serialize a forecast. reached_at: None where the metric has no trend towards the limit."""
    last = points[-1][0] if points else None

    def format_moment(seconds_ahead: float | None) -> str | None:
        if last is None or seconds_ahead is None or seconds_ahead > _MAX_FORECAST_S:
            return None
        return format_time(last + timedelta(seconds=seconds_ahead))

    return {
        "metric": metric,
        "limit": limit,
        "count": len(points),
        "value": points[-1][1] if points else None,
        "per_hour": prediction.per_hour if prediction else None,
        "reached_at": format_moment(prediction.in_s if prediction else None),
        "earliest": format_moment(prediction.earliest_s if prediction else None),
        "latest": format_moment(prediction.latest_s if prediction else None),
        "confidence": prediction.confidence if prediction else None,
        "evidence": format_evidence(metric, prediction)
        if prediction
        else f"{metric} has no trend that leads to {limit:g}",
    }


def serialize_comparison(before: str, after: str, comparison: Comparison) -> dict[str, Any]:
    """Serialize the comparison of two snapshots."""
    comparison_fields = comparison_details(comparison)
    for name in ("last_known_good", "last_known_good_at", "time_since_last_good"):
        comparison_fields.pop(name)
    return {"before": before, "after": after, **comparison_fields}
