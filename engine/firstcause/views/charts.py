"""Numbers over time, with what was changed meanwhile and where they are going."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import Difference, find_differences
from firstcause.core.health.trend import forecast_limit
from firstcause.core.text.timestamps import format_time
from firstcause.errors import NotFoundError
from firstcause.health.serializers import serialize_forecast, serialize_trend
from firstcause.store import incidents, snapshots
from firstcause.views.component_status import build_strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from firstcause.core.health.snapshot import Snapshot
    from firstcause.core.health.trend import Forecast
    from firstcause.health.queries import HealthHistory

MAX_MARKS = 200
"""Changes that a chart shows at most."""

MAX_SNAPSHOTS = 400
"""Snapshots that the health over time is drawn from."""

_MINUTE_S = 60
_MAX_RANGES_AHEAD = 1.0
"""A forecast is drawn so many ranges ahead at most."""


@dataclass(frozen=True)
class TimeSpan:
    """From when to when."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


@dataclass(frozen=True)
class Charts:
    """Reads what was kept."""

    history: HealthHistory

    def load_health(self, span: TimeSpan) -> dict[str, Any]:
        """{strips, marks}: how every component was, and what was changed."""
        kept_snapshots = self._load_snapshots(span)
        return {"strips": build_strips(kept_snapshots), "marks": list(self._change_marks(kept_snapshots))}

    def load_metric(self, name: str, span: TimeSpan) -> dict[str, Any]:
        """A trend's answer, with `forecast`: None where nothing says where the metric ends."""
        points = self.history.get_series(name, span.since, span.until)
        answer = serialize_trend(name, span.length.total_seconds() / _MINUTE_S, points)
        limit = self.history.find_limit(name)
        prediction = None
        if limit is not None:
            prediction = forecast_limit([(time.timestamp(), value) for time, value in points], limit)
        forecast_entry = serialize_forecast(name, limit, points, prediction) if limit is not None else None
        return answer | {"forecast": forecast_entry, "ahead": _forecast_line(points, prediction, span)}

    def load_series(
        self, names: Sequence[str], span: TimeSpan
    ) -> list[tuple[str, list[tuple[datetime, float]]]]:
        """The metrics of these that there are. NotFoundError where there is none of them."""
        result, missing = [], None
        for name in names:
            try:
                result.append((name, self.history.get_series(name, span.since, span.until)))
            except NotFoundError as error:
                missing = error
        if missing is not None and not result:
            raise missing
        return result

    def list_marks(self, span: TimeSpan) -> list[dict[str, Any]]:
        """Settings, versions and deployments that changed, and incidents that began, in order of time."""
        with self.history.database.read() as conn:
            opened_incidents = incidents.list_opened_between(conn, span.since, span.until, MAX_MARKS)
        incident_marks = [
            {
                "time": format_time(incident.opened_at),
                "kind": "incident",
                "text": incident.title,
                "id": incident.stored_id,
            }
            for incident in opened_incidents
        ]
        marks = [*self._change_marks(self._load_snapshots(span)), *incident_marks]
        return sorted(marks, key=lambda mark: str(mark["time"]))[-MAX_MARKS:]

    def _load_snapshots(self, span: TimeSpan) -> list[Snapshot]:
        with self.history.database.read() as conn:
            return list(snapshots.iter_between(conn, span.since, span.until, max_count=MAX_SNAPSHOTS))

    def _change_marks(self, kept_snapshots: Sequence[Snapshot]) -> Iterator[dict[str, Any]]:
        notable = self.history.rules.current.min_notable_change
        for before, after in pairwise(kept_snapshots):
            for difference in find_differences(before, after, notable):
                if difference.is_setting:
                    yield {
                        "time": format_time(after.taken_at),
                        "kind": "change",
                        "text": _describe_change(difference),
                        "id": None,
                    }


def _describe_change(difference: Difference) -> str:
    return f"{difference.name}: {difference.before} -> {difference.after}"


def _forecast_line(
    points: Sequence[tuple[datetime, float]], prediction: Forecast | None, span: TimeSpan
) -> list[dict[str, Any]]:
    """Two points of the line that continues into the forecast, each with its interval."""
    if prediction is None or not points:
        return []
    last_time, value = points[-1]
    horizon_s = min(prediction.in_s, span.length.total_seconds() * _MAX_RANGES_AHEAD)
    share = horizon_s / prediction.in_s if prediction.in_s else 1.0
    end = value + (prediction.limit - value) * share
    soonest = value + (prediction.limit - value) * min(
        1.0, horizon_s / prediction.earliest_s if prediction.earliest_s else 1.0
    )
    latest = value
    if prediction.latest_s is not None:
        latest = value + (prediction.limit - value) * min(1.0, horizon_s / prediction.latest_s)
    start = {"time": format_time(last_time), "value": value, "soonest": value, "latest": value}
    end_time = format_time(last_time + timedelta(seconds=horizon_s))
    return [start, {"time": end_time, "value": end, "soonest": soonest, "latest": latest}]
