"""When the daemon ran: one row for each run, with the last time at which the run was seen."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import sqlalchemy as sa

from firstcause.core.downtime import Downtime
from firstcause.store.tables import daemon_run

if TYPE_CHECKING:
    from datetime import datetime

MAX_RUNS = 200
"""The newest runs that are kept."""


def begin(conn: sa.Connection, now: datetime) -> int:
    """Record that a run begins; returns its id."""
    values = {"started_at": now, "last_seen": now}
    run_id = conn.execute(daemon_run.insert().values(values).returning(daemon_run.c.id)).scalar_one()
    conn.execute(daemon_run.delete().where(daemon_run.c.id <= run_id - MAX_RUNS))
    return int(run_id)


def update_last_seen(conn: sa.Connection, run_id: int, now: datetime) -> None:
    """Record that a run has not ended by now."""
    conn.execute(daemon_run.update().where(daemon_run.c.id == run_id).values(last_seen=now))


def load_downtimes(conn: sa.Connection) -> list[Downtime]:
    """Load the times between the runs, in order; none where the clock was set back meanwhile."""
    columns = daemon_run.c.started_at, daemon_run.c.last_seen
    runs = conn.execute(sa.select(*columns).order_by(daemon_run.c.id)).all()
    return [
        Downtime(earlier.last_seen, later.started_at)
        for earlier, later in pairwise(runs)
        if later.started_at > earlier.last_seen
    ]
