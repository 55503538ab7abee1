"""Error budgets: how many errors may come in a month, and what is left of them, as probes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from firstcause.core.model import Reading, Status
from firstcause.core.text.durations import spoken
from firstcause.hookspecs.types import Probe
from firstcause.store import event_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from firstcause.config import Budget
    from firstcause.store.database import Database

CODE = "PREDICTED_FAILURE"
"""What is reported where the store cannot be asked; a budget itself only ever foretells."""

LEFT = "budget_left"

_EVERY = 60.0


def _now() -> datetime:
    return datetime.now(UTC)


def probes(
    budgets: Mapping[str, Budget], database: Database, clock: Callable[[], datetime] = _now
) -> list[Probe]:
    """One for each, by its name. What is measured is `NAME.budget_left`, which forecasts look at."""
    return [
        Probe(
            name=name,
            component=budget.component,
            check=partial(_look, budget, database, clock),
            code=CODE,
            interval=_EVERY,
        )
        for name, budget in budgets.items()
    ]


def _look(budget: Budget, database: Database, clock: Callable[[], datetime]) -> Reading:
    now = clock()
    with database.read() as conn:
        since = now - timedelta(seconds=budget.over)
        came = event_counts.total(conn, since, now, budget.codes, budget.severities)
    left = max(0, budget.errors - came)
    # UP though nothing be left: that lasts for weeks, and says nothing of how things are now.
    words = f"{left} of {budget.errors} errors in {spoken(budget.over)} are left"
    return Reading(status=Status.UP, detail=words, data={LEFT: left})
