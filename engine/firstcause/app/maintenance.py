"""What need not be kept any longer goes, by age, number and size."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.store import retention

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.config import Store
    from firstcause.store.database import Database


def prune_store(
    database: Database,
    settings: Store,
    now: datetime,
    max_age_s: float | None = None,
    *,
    dry_run: bool = False,
) -> dict[str, int]:
    """Forget what is older or more than the settings keep; returns how much of what went.

    older: seconds, in place of the settings' ages. dry_run: say what would go. over_max_bytes: how many
    bytes are still used above the limit, where nothing more may go.
    """
    limits = retention.RetentionLimits(
        events_before=now - timedelta(seconds=settings.keep_events if max_age_s is None else max_age_s),
        incidents_before=now - timedelta(seconds=settings.keep_incidents if max_age_s is None else max_age_s),
        max_events=settings.max_events,
        max_bytes=settings.max_bytes or None,
    )
    if dry_run:
        with database.read() as conn:
            counts = [retention.count_prunable(conn, limits)]
    else:
        counts = list(retention.prune(database, limits))
    return {
        "events": sum(count.events for count in counts),
        "incidents": sum(count.incidents for count in counts),
        "over_max_bytes": sum(count.excess_bytes for count in counts),
    }
