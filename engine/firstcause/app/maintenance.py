"""What need not be kept any longer goes, by age, number and size."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.store import retention

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.config import Store
    from firstcause.store.database import Database


def pruned(
    database: Database, keep: Store, now: datetime, older: float | None = None, *, dry_run: bool = False
) -> dict[str, int]:
    """Forget what is older or more than the settings keep; returns how much of what went.

    older: seconds, in place of the settings' ages. dry_run: say what would go. over_max_bytes: how many
    bytes are still used above the limit, where nothing more may go.
    """
    past = retention.Past(
        events=now - timedelta(seconds=keep.keep_events if older is None else older),
        incidents=now - timedelta(seconds=keep.keep_incidents if older is None else older),
        most=keep.max_events,
        room=keep.max_bytes or None,
    )
    if dry_run:
        with database.read() as conn:
            gone = [retention.count(conn, past)]
    else:
        gone = list(retention.prune(database, past))
    return {
        "events": sum(each.events for each in gone),
        "incidents": sum(each.incidents for each in gone),
        "over_max_bytes": sum(each.over for each in gone),
    }
