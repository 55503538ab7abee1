"""Error budgets as probes: how many errors a period may have, and how many are left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.core.text.durations import format_duration
from firstcause.hookspecs.types import Probe
from firstcause.store import event_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from firstcause.config import Budget
    from firstcause.store.database import Database

BUDGET_CODE = "PREDICTED_FAILURE"
"""The code of a budget's probe that cannot read the store. A budget itself is only ever forecast."""

REMAINING_METRIC = "budget_left"

_CHECK_INTERVAL_S = 60.0


def _get_utc_now() -> datetime:
    return datetime.now(UTC)


def create_budget_probes(
    budgets: Mapping[str, Budget], database: Database, clock: Callable[[], datetime] = _get_utc_now
) -> list[Probe]:
    """Make a probe for each budget. The probe measures `NAME.budget_left`, which forecasts read."""
    return [
        Probe(
            name=name,
            component=budget.component,
            check=partial(_check_budget, budget, database, clock),
            code=BUDGET_CODE,
            interval=_CHECK_INTERVAL_S,
        )
        for name, budget in budgets.items()
    ]


def _check_budget(budget: Budget, database: Database, clock: Callable[[], datetime]) -> Reading:
    now = clock()
    with database.read() as conn:
        since = now - timedelta(seconds=budget.window)
        error_count = event_counts.sum_occurrences(conn, since, now, budget.codes, budget.severities)
    remaining = max(0, budget.errors - error_count)
    # UP even if nothing is left: an empty budget lasts for weeks and says nothing about the present state.
    message = f"{remaining} of {budget.errors} errors in {format_duration(budget.window)} are left"
    return Reading(status=Status.UP, detail=message, data={REMAINING_METRIC: remaining})
