"""What was: snapshots, two of them side by side, which one was good, and any number over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.health.comparison import compared, dated, difference_facts, differences
from firstcause.core.health.trend import forecast
from firstcause.errors import NotFoundError
from firstcause.health.change_finder import deployments
from firstcause.health.forecasts import limit_of
from firstcause.health.serializers import (
    comparison_answer,
    forecast_answer,
    row_answer,
    snapshot_answer,
    trend_answer,
)
from firstcause.rulefiles.validation_messages import nearest
from firstcause.store import audit, event_counts, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from firstcause.health.change_finder import WhatChanged
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.store.database import Database
    from firstcause.store.snapshots import Stored

ERRORS = "errors"
"""The metric of all errors; `errors.WORD` is of one severity or of one code."""

MOST = 2000
"""Points that a series has at most."""

_LATEST = "latest"
_GOOD = "good"


@dataclass(frozen=True)
class History:
    """Reads what was kept; only pinning writes."""

    database: Database
    knowledge: Knowledge
    what_changed: WhatChanged

    def snapshots(self, limit: int) -> list[dict[str, Any]]:
        """The latest first."""
        with self.database.read() as conn:
            good = snapshots.last_good(conn)
            rows = snapshots.listed(conn, limit)
        return [row_answer(row, good.number if good else None) for row in rows]

    def snapshot(self, name: str) -> dict[str, Any]:
        """name: a number, `latest`, or `good` for the last known good state. NotFoundError."""
        with self.database.read() as conn:
            good = snapshots.last_good(conn)
        return snapshot_answer(self._named(name), good.number if good else None)

    def _named(self, name: str) -> Stored:
        with self.database.read() as conn:
            if name == _LATEST:
                found = snapshots.last(conn)
            elif name == _GOOD:
                found = snapshots.last_good(conn)
            else:
                found = snapshots.get(conn, name)
        if found is None:
            there = "no snapshot yet" if name == _LATEST else "no state is known to be good yet"
            msg = f"{there}; `firstcause check` takes one"
            raise NotFoundError(msg)
        return found

    def pin(self, name: str, now: datetime, by: str) -> dict[str, Any]:
        """Let a snapshot be the last known good state, whatever comes later."""
        chosen = self._named(name)
        with self.database.write() as conn:
            snapshots.pin(conn, chosen.number, now, by)
            audit.add(conn, now, by, "pinned as the last known good state", about=f"snapshot {chosen.number}")
        return self.snapshot(str(chosen.number))

    def unpin(self, now: datetime, by: str) -> bool:
        """Let the rules choose the last known good state again; False where none was pinned."""
        with self.database.write() as conn:
            changed = snapshots.unpin(conn) > 0
            if changed:
                audit.add(conn, now, by, "let the rules choose the last known good state again")
            return changed

    def diff(self, one: str, other: str) -> dict[str, Any]:
        """The second against the first, with what the rules say of the differences."""
        before, after = self._named(one), self._named(other)
        found = dated(
            differences(before.snapshot, after.snapshot, self.knowledge.notable),
            after.snapshot.since,
            after.snapshot.taken_at,
        )
        with self.database.read() as conn:
            found += deployments(conn, before.snapshot.taken_at, after.snapshot.taken_at)
        verdicts = self.knowledge.inference.evaluate(difference_facts(found))
        good = str(before.number), before.snapshot.taken_at
        now = after.snapshot.taken_at
        with self.database.read() as conn:
            likely = self.what_changed.explaining(conn, found, verdicts, now)
        than = f"snapshot {before.number}"
        comparison = compared(found, verdicts, likely, good, now, than)
        return comparison_answer(str(before.number), str(after.number), comparison)

    def series(self, metric: str, since: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """The values of a metric in that time, in order. NotFoundError where nothing has that name."""
        if metric == ERRORS or metric.startswith(f"{ERRORS}."):
            found = self._errors(metric, since, until)
            if found is not None:
                return found
        with self.database.read() as conn:
            kept = list(snapshots.between(conn, since, until, most=MOST))
        points = [(each.taken_at, each.metrics[metric]) for each in kept if metric in each.metrics]
        if not points:
            self._check_known(metric)
        return points

    def trend(self, metric: str, minutes: float, now: datetime) -> dict[str, Any]:
        """A metric over the last minutes: its points, its usual values, where it goes."""
        points = self.series(metric, now - timedelta(minutes=minutes), now)
        return trend_answer(metric, minutes, points)

    def forecast(self, metric: str, limit: float | None, minutes: float, now: datetime) -> dict[str, Any]:
        """When a metric reaches a limit, by its last minutes. limit: None for what the rule files say."""
        end = limit if limit is not None else limit_of(metric, self.knowledge.book.thresholds)
        points = self.series(metric, now - timedelta(minutes=minutes), now)
        if end is None:
            msg = f"no rule file says where {metric} ends; name the limit"
            raise NotFoundError(msg)
        found = forecast([(at.timestamp(), value) for at, value in points], end)
        return forecast_answer(metric, end, points, found)

    def _errors(self, metric: str, since: datetime, until: datetime) -> list[tuple[datetime, float]] | None:
        """Errors by the minute, the quiet minutes too; None where the name is of no error."""
        which = metric.partition(".")[2]
        with self.database.read() as conn:
            counted = event_counts.since(conn, since, until)
        known = {each.code for each in counted} | {each.severity.lower() for each in counted}
        if which and which not in known:
            return None
        return event_counts.by_minute(
            [each for each in counted if which in {"", each.code, each.severity.lower()}], since, until
        )

    def _check_known(self, metric: str) -> None:
        known = self.metrics()
        if metric in known:
            return
        mend = nearest(metric, known) or (f"; there are: {', '.join(known)}" if known else "; none yet")
        msg = f"no metric {metric!r}{mend}"
        raise NotFoundError(msg)

    def metrics(self) -> Sequence[str]:
        """The names of all that the latest snapshot measured."""
        with self.database.read() as conn:
            last = snapshots.last(conn)
        return sorted(last.snapshot.metrics) if last is not None else []
