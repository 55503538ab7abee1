"""Compares each component's measurements with its recent ones and those of the same hour on earlier days."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.health.baseline import BaselineSettings, score_deviation
from firstcause.core.health.comparison import Difference, baseline_difference, outlier_difference
from firstcause.core.health.outlier import OutlierDetector, OutlierSettings
from firstcause.store import snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.health.snapshot import Snapshot

BASELINE_PREFIX = "normal_"
"""The prefix of the thresholds that set `BaselineSettings`."""

OUTLIER_PREFIX = "extreme_"
"""The prefix of the thresholds that set `OutlierSettings`."""

LOOKBACK_DAYS = 14
"""Days on which the same hour is looked at."""

_ONE_HOUR = timedelta(hours=1)
_MAX_SNAPSHOTS_PER_DAY = 12
"""Snapshots of one day's hour that are read."""

_MAX_RELOADED_SNAPSHOTS = 1000
"""Snapshots that are read after a start."""

ComponentMeasurements = dict[str, dict[str, float]]
"""Component -> name -> value."""


@dataclass
class Baselines:
    """Keeps recent measurements: filled from the store on first use, then with every snapshot."""

    _recent_measurements: deque[ComponentMeasurements] | None = None
    _outlier_settings: OutlierSettings = field(default_factory=OutlierSettings)
    _outlier_detectors: dict[tuple[str, str], OutlierDetector] = field(default_factory=dict)
    _same_hour: list[ComponentMeasurements] = field(default_factory=list)
    _loaded_hour: datetime | None = None

    def find_deviations(
        self,
        conn: sa.Connection,
        snapshot: Snapshot,
        baseline_settings: BaselineSettings,
        outlier_settings: OutlierSettings,
    ) -> Iterator[Difference]:
        """Yield a difference for each outlier, and for each component that is unusual as a whole."""
        recent = self._load_recent(
            conn, snapshot.taken_at, int(baseline_settings.window + baseline_settings.over), outlier_settings
        )
        recent.append(group_measurements(snapshot))
        yield from self._detect_outliers(recent[-1])
        self._load_same_hour(conn, snapshot.taken_at)
        for component in recent[-1]:
            recent_values = [measurements[component] for measurements in recent if component in measurements]
            same_hour_values = [
                measurements[component] for measurements in self._same_hour if component in measurements
            ]
            deviation = score_deviation(recent_values, same_hour_values, baseline_settings)
            if deviation is not None and deviation.score >= baseline_settings.score:
                yield baseline_difference(component, deviation)

    def _load_recent(
        self, conn: sa.Connection, now: datetime, max_snapshots: int, outlier_settings: OutlierSettings
    ) -> deque[ComponentMeasurements]:
        if (
            self._recent_measurements is None
            or self._recent_measurements.maxlen != max_snapshots
            or outlier_settings != self._outlier_settings
        ):
            history = snapshots.load_latest(
                conn, min(_MAX_RELOADED_SNAPSHOTS, max(max_snapshots, int(outlier_settings.window)))
            )
            points = [group_measurements(snapshot) for snapshot in history if snapshot.taken_at <= now]
            self._recent_measurements, self._outlier_settings, self._outlier_detectors = (
                deque(points, max_snapshots),
                outlier_settings,
                {},
            )
            for point in points:
                for _ in self._detect_outliers(point):
                    pass
        return self._recent_measurements

    def _detect_outliers(self, point: ComponentMeasurements) -> Iterator[Difference]:
        for component, measurements in point.items():
            for name, value in measurements.items():
                detector = self._outlier_detectors.setdefault(
                    (component, name), OutlierDetector(self._outlier_settings)
                )
                outlier = detector.detect(value)
                if outlier is not None:
                    yield outlier_difference(component, name, outlier)

    def _load_same_hour(self, conn: sa.Connection, now: datetime) -> None:
        """Load the same hour of earlier days, once an hour."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour == self._loaded_hour:
            return
        self._loaded_hour = hour
        self._same_hour = []
        for days in range(1, LOOKBACK_DAYS + 1):
            start = hour - timedelta(days=days)
            day_snapshots = snapshots.iter_between(
                conn, start, start + _ONE_HOUR, max_count=_MAX_SNAPSHOTS_PER_DAY
            )
            self._same_hour += [group_measurements(snapshot) for snapshot in day_snapshots]


def group_measurements(snapshot: Snapshot) -> ComponentMeasurements:
    """Group a snapshot's measurements by component."""
    by_component: ComponentMeasurements = {}
    for probe, name, value in snapshot.measurements():
        measurements = by_component.setdefault(snapshot.infrastructure[probe].component, {})
        measurements[f"{probe}.{name}"] = value
    return by_component
