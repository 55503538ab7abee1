"""Takes a snapshot, compares it with the last known good state, and ranks what caused regressions."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.health import comparison as compare
from firstcause.core.health.baseline import BaselineSettings
from firstcause.core.health.comparison import (
    Comparison,
    Difference,
    assess,
    difference_facts,
    find_differences,
    with_first_seen,
)
from firstcause.core.health.outlier import OutlierSettings
from firstcause.core.health.snapshot import (
    ABSENT,
    MAX_LISTED,
    MAX_TOP_CODES,
    PRESENT,
    ActiveAlert,
    ErrorSummary,
    Snapshot,
    snapshot_fact,
)
from firstcause.core.model import Event, Severity, VerdictKind
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.durations import format_duration
from firstcause.health.baselines import BASELINE_PREFIX, OUTLIER_PREFIX
from firstcause.health.change_finder import ChangeFinder, find_deployments
from firstcause.store import alerts, clock_adjustment, event_counts, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Health, Topology
    from firstcause.core.model import Alert, Verdict
    from firstcause.health.baselines import Baselines
    from firstcause.health.system_state import SystemState
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database
    from firstcause.store.snapshots import StoredSnapshot

log = logging.getLogger("firstcause.health")

COMPARISON = "comparison"
"""The reporter of regressions, in place of a probe's name."""

MAX_CLOCK_SKEW = timedelta(minutes=1)
"""How far the clocks of two processes that take snapshots may differ."""

ERROR_WINDOW_S = 300.0
"""Seconds over which errors are counted, at least; a longer snapshot interval counts whole."""


@dataclass(frozen=True)
class SnapshotResult:
    """A snapshot as it was stored, and its comparison."""

    snapshot_id: str
    snapshot: Snapshot
    comparison: Comparison


@dataclass(frozen=True)
class SnapshotCheck:
    """Takes one snapshot and compares it."""

    database: Database
    rulebase: Rulebase
    system_state: SystemState
    baselines: Baselines
    health: Health
    topology: Topology

    def run(self, now: datetime) -> SnapshotResult:
        with self.database.write(exclusive=False) as conn:
            previous, last_good = snapshots.load_last(conn), snapshots.load_last_good(conn)
            if previous is not None:
                _correct_clock(conn, previous.snapshot.taken_at - now, now)
            snapshot = self._take_snapshot(conn, previous, last_good, now)
            book = self.rulebase.book
            baseline_settings, outlier_settings = (
                book.from_thresholds(BaselineSettings, BASELINE_PREFIX),
                book.from_thresholds(OutlierSettings, OUTLIER_PREFIX),
            )
            deviations = list(
                self.baselines.find_deviations(conn, snapshot, baseline_settings, outlier_settings)
            )
            changes = self._find_changes(conn, last_good, snapshot, previous, deviations, now)
            snapshot = snapshot.model_copy(
                update={"since": {change.key: change.since for change in changes if change.since}}
            )
            verdicts = self._evaluate_rules(snapshot, changes)
            baseline = (
                (str(last_good.snapshot_id), last_good.snapshot.taken_at) if last_good is not None else None
            )
            change_finder = ChangeFinder(self.rulebase, self.topology.learned_ttl)
            comparison = assess(
                changes,
                verdicts,
                change_finder.rank_regression_causes(conn, changes, verdicts, now),
                baseline,
                now,
            )
            good_verdict = strongest(verdicts, VerdictKind.KNOWN_GOOD)
            if last_good is None and good_verdict is not None:
                message = f"{comparison.message}; this one is good, and the next is compared with it"
                comparison = comparison.model_copy(update={"message": message})
            snapshot_id = snapshots.add(
                conn, snapshot, good_verdict.because if good_verdict is not None else None
            )
        self.system_state.update_comparison(
            changes, {f"{regression.category}:{regression.name}" for regression in comparison.regressions}
        )
        return SnapshotResult(str(snapshot_id), snapshot, comparison)

    def _take_snapshot(
        self,
        conn: sa.Connection,
        previous: StoredSnapshot | None,
        last_good: StoredSnapshot | None,
        now: datetime,
    ) -> Snapshot:
        active = alerts.load_active(conn)
        reference = last_good or previous
        return Snapshot(
            taken_at=now,
            infrastructure=self.system_state.take_observations(),
            errors=self._count_errors(
                conn, reference.snapshot.taken_at if reference is not None else now, now
            ),
            configuration=self._collect_configuration(),
            alerts=tuple(_summarize_alert(alert) for alert in sorted(active, key=_get_sort_key)[:MAX_LISTED]),
            alerts_open=len(active),
            critical_open=sum(alert.severity is Severity.CRITICAL for alert in active),
        )

    def _collect_configuration(self) -> dict[str, str]:
        """Return by variable its checksum; without one, whether it is set."""
        system_state = self.system_state
        presence = {name: PRESENT if is_set else ABSENT for name, is_set in system_state.presence.items()}
        return presence | {
            name: checksum for name, checksum in system_state.checksums.items() if name in presence
        }

    def _count_errors(self, conn: sa.Connection, reference_time: datetime, now: datetime) -> ErrorSummary:
        """Count recent errors. reference_time: codes first seen after that are new."""
        start = now - timedelta(seconds=max(ERROR_WINDOW_S, self.health.interval))
        rows = event_counts.load_between(conn, start, now)
        by_code: Counter[str] = Counter()
        by_severity: Counter[str] = Counter()
        for row in rows:
            by_code[row.code] += row.count
            by_severity[row.severity.lower()] += row.count
        return ErrorSummary(
            seconds=(now - start).total_seconds(),
            top=tuple(by_code.most_common(MAX_TOP_CODES)),
            new=tuple(event_counts.find_new_codes(conn, reference_time, MAX_LISTED)),
            **by_severity,
        )

    def _find_changes(
        self,
        conn: sa.Connection,
        last_good: StoredSnapshot | None,
        snapshot: Snapshot,
        previous: StoredSnapshot | None,
        deviations: Sequence[Difference],
        now: datetime,
    ) -> list[Difference]:
        if last_good is None:
            return []
        changes = [
            *find_differences(last_good.snapshot, snapshot, self.rulebase.min_notable_change),
            *deviations,
        ]
        changes = with_first_seen(changes, previous.snapshot.since if previous is not None else {}, now)
        return [*changes, *find_deployments(conn, last_good.snapshot.taken_at, now)]

    def _evaluate_rules(self, snapshot: Snapshot, changes: Sequence[Difference]) -> list[Verdict]:
        return self.rulebase.inference.evaluate([snapshot_fact(snapshot), *difference_facts(changes)])


def _correct_clock(conn: sa.Connection, ahead: timedelta, now: datetime) -> None:
    """Reschedule what is pending after the clock was set back. ahead: how much later the last snapshot is."""
    if ahead > MAX_CLOCK_SKEW:
        log.warning(
            "System clock moved back by %s; pending notifications were rescheduled.",
            format_duration(ahead.total_seconds()),
        )
        clock_adjustment.adjust_times(conn, ahead, now)


def _get_sort_key(alert: Alert) -> tuple[int, datetime]:
    return -alert.severity.rank, alert.first_seen


def _summarize_alert(alert: Alert) -> ActiveAlert:
    return ActiveAlert(
        code=alert.code,
        severity=alert.severity,
        service=alert.service,
        tenant=alert.tenant,
        count=alert.count,
    )


def build_regression_event(comparison: Comparison, now: datetime, event_id: str) -> Event | None:
    """Build the event that reports a regression; None without one."""
    if comparison.code is None:
        return None
    return Event(
        id=event_id,
        time=now,
        code=comparison.code,
        message=comparison.message,
        severity=comparison.severity,
        details=compare.comparison_details(comparison),
        probe=COMPARISON,
    )
