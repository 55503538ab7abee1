"""When the daemon runs, as the store knows it: what the next one needs to tell how long nobody watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.downtime import RestartPolicy
from firstcause.store import daemon_runs

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.core.downtime import Downtime
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database

RESTART_PREFIX = "restart_"
"""The prefix of the thresholds that set `RestartPolicy`."""


@dataclass
class DaemonRuns:
    """Records the run of this daemon."""

    database: Database
    rules: LiveRules
    _run_id: int | None = field(default=None, init=False)

    @property
    def policy(self) -> RestartPolicy:
        """What happens after a downtime."""
        return self.rules.current.book.from_thresholds(RestartPolicy, RESTART_PREFIX)

    def begin_run(self, now: datetime) -> Downtime | None:
        """Record that the daemon starts. Returns the time since the last run, None where there was none."""
        with self.database.write() as conn:
            self._run_id = daemon_runs.begin(conn, now)
            downtimes = daemon_runs.load_downtimes(conn)
        return downtimes[-1] if downtimes and downtimes[-1].ended_at == now else None

    def record_alive(self, now: datetime) -> None:
        """Record that the daemon still runs."""
        if self._run_id is not None:
            with self.database.write(exclusive=False) as conn:
                daemon_runs.update_last_seen(conn, self._run_id, now)
