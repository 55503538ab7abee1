"""Answers questions about past health: snapshots, their differences, the good one, metrics over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import assess, difference_facts, find_differences, with_first_seen
from firstcause.core.health.trend import forecast_limit
from firstcause.core.text.spelling import suggest_nearest
from firstcause.errors import NotFoundError
from firstcause.health.change_finder import ChangeFinder, find_deployments
from firstcause.health.forecasts import find_limit
from firstcause.health.serializers import (
    serialize_comparison,
    serialize_forecast,
    serialize_snapshot,
    serialize_snapshot_row,
    serialize_trend,
)
from firstcause.store import audit, event_counts, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database
    from firstcause.store.snapshots import StoredSnapshot

ERROR_METRIC = "errors"
"""The metric of all errors; `errors.WORD` is of one severity or of one code."""

MAX_POINTS = 2000
"""Points that a series may have."""

_LATEST = "latest"
_GOOD = "good"


@dataclass(frozen=True)
class HealthHistory:
    """Reads stored snapshots; only pinning writes.

    learned_ttl_s: how long a dependency counts that was learned from errors, in seconds.
    """

    database: Database
    rules: LiveRules
    learned_ttl_s: float

    def list_snapshots(self, limit: int) -> list[dict[str, Any]]:
        """The latest first."""
        with self.database.read() as conn:
            good = snapshots.load_last_good(conn)
            rows = snapshots.list_snapshots(conn, limit)
        return [serialize_snapshot_row(row, good.snapshot_id if good else None) for row in rows]

    def get_snapshot(self, name: str) -> dict[str, Any]:
        """name: a number, `latest`, or `good` for the last known good state. NotFoundError."""
        with self.database.read() as conn:
            good = snapshots.load_last_good(conn)
        return serialize_snapshot(self._get_stored(name), good.snapshot_id if good else None)

    def _get_stored(self, name: str) -> StoredSnapshot:
        with self.database.read() as conn:
            if name == _LATEST:
                stored = snapshots.load_last(conn)
            elif name == _GOOD:
                stored = snapshots.load_last_good(conn)
            else:
                stored = snapshots.get(conn, name)
        if stored is None:
            missing = "no snapshot yet" if name == _LATEST else "no state is known to be good yet"
            msg = f"{missing}; `firstcause check` takes one"
            raise NotFoundError(msg)
        return stored

    def pin(self, name: str, now: datetime, actor: str) -> dict[str, Any]:
        """Let a snapshot be the last known good state, whatever comes later."""
        chosen = self._get_stored(name)
        with self.database.write() as conn:
            snapshots.pin(conn, chosen.snapshot_id, now, actor)
            audit.add(
                conn,
                now,
                actor,
                "pinned as the last known good state",
                about=f"snapshot {chosen.snapshot_id}",
            )
        return self.get_snapshot(str(chosen.snapshot_id))

    def unpin(self, now: datetime, actor: str) -> bool:
        """Let the rules choose the last known good state again; False where none was pinned."""
        with self.database.write() as conn:
            changed = snapshots.unpin(conn) > 0
            if changed:
                audit.add(conn, now, actor, "let the rules choose the last known good state again")
            return changed

    def diff(self, before_name: str, after_name: str) -> dict[str, Any]:
        """The second against the first, with what the rules say of the differences."""
        before, after = self._get_stored(before_name), self._get_stored(after_name)
        with self.rules.use_for_query() as rulebase, self.database.read() as conn:
            changes = with_first_seen(
                find_differences(before.snapshot, after.snapshot, rulebase.min_notable_change),
                after.snapshot.since,
                after.snapshot.taken_at,
            )
            changes += find_deployments(conn, before.snapshot.taken_at, after.snapshot.taken_at)
            verdicts = rulebase.inference.evaluate(difference_facts(changes))
            baseline = str(before.snapshot_id), before.snapshot.taken_at
            now = after.snapshot.taken_at
            change_finder = ChangeFinder(rulebase, self.learned_ttl_s)
            likelihood_by_key = change_finder.rank_regression_causes(conn, changes, verdicts, now)
        baseline_name = f"snapshot {before.snapshot_id}"
        comparison = assess(changes, verdicts, likelihood_by_key, baseline, now, baseline_name)
        return serialize_comparison(str(before.snapshot_id), str(after.snapshot_id), comparison)

    def get_series(self, metric: str, since: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """The values of a metric in that time, in order. NotFoundError where nothing has that name."""
        if metric == ERROR_METRIC or metric.startswith(f"{ERROR_METRIC}."):
            error_series = self._count_errors(metric, since, until)
            if error_series is not None:
                return error_series
        with self.database.read() as conn:
            history = list(snapshots.iter_between(conn, since, until, max_count=MAX_POINTS))
        points = [
            (snapshot.taken_at, snapshot.metrics[metric])
            for snapshot in history
            if metric in snapshot.metrics
        ]
        if not points:
            self._require_metric(metric)
        return points

    def get_trend(self, metric: str, minutes: float, now: datetime) -> dict[str, Any]:
        """A metric over the last minutes: its points, its usual values, where it goes."""
        points = self.get_series(metric, now - timedelta(minutes=minutes), now)
        return serialize_trend(metric, minutes, points)

    def forecast(self, metric: str, limit: float | None, minutes: float, now: datetime) -> dict[str, Any]:
        """When a metric reaches a limit, by its last minutes. limit: None for what the rule files say."""
        threshold = limit if limit is not None else self.find_limit(metric)
        points = self.get_series(metric, now - timedelta(minutes=minutes), now)
        if threshold is None:
            msg = f"no rule file has a limit for {metric}; give one"
            raise NotFoundError(msg)
        prediction = forecast_limit([(time.timestamp(), value) for time, value in points], threshold)
        return serialize_forecast(metric, threshold, points, prediction)

    def find_limit(self, metric: str) -> float | None:
        """Where a metric ends by the rule files; None where they do not say."""
        return find_limit(metric, self.rules.current.book.thresholds)

    def _count_errors(
        self, metric: str, since: datetime, until: datetime
    ) -> list[tuple[datetime, float]] | None:
        """Errors by the minute, the quiet minutes too; None where the name is of no error."""
        selector = metric.partition(".")[2]
        with self.database.read() as conn:
            rows = event_counts.load_between(conn, since, until)
        names = {row.code for row in rows} | {row.severity.lower() for row in rows}
        if selector and selector not in names:
            return None
        return event_counts.group_by_minute(
            [row for row in rows if selector in {"", row.code, row.severity.lower()}], since, until
        )

    def _require_metric(self, metric: str) -> None:
        available = self.list_metrics()
        if metric in available:
            return
        hint = suggest_nearest(metric, available) or (
            f"; there are: {', '.join(available)}" if available else "; none yet"
        )
        msg = f"no metric {metric!r}{hint}"
        raise NotFoundError(msg)

    def list_metrics(self) -> Sequence[str]:
        """The names of all that the latest snapshot measured."""
        with self.database.read() as conn:
            last = snapshots.load_last(conn)
        return sorted(last.snapshot.metrics) if last is not None else []
