"""Sends the watchdog message: once a day firstcause says that it is alive."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.messages import REPORTER, build_watchdog_notification
from firstcause.core.selfcheck.watchdog import format_watchdog
from firstcause.errors import StoreError
from firstcause.store import audit, event_log, incidents

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.config.notify import WatchdogSettings
    from firstcause.selfcheck.direct_sender import DirectSender
    from firstcause.selfcheck.self_check import SelfCheck
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.selfcheck")

RETRY_INTERVAL = timedelta(minutes=1)
"""After which a message that no notifier took is tried again."""

WATCHDOG_SENT = "sent the watchdog message"
"""The entry of the audit log, by which a restart does not send the message twice."""


@dataclass
class Watchdog:
    """Sends the message when it is due. One thread calls it."""

    database: Database
    settings: WatchdogSettings
    self_check: SelfCheck
    sender: DirectSender
    _sent_at: datetime | None = field(default=None, init=False)
    _tried_at: datetime | None = field(default=None, init=False)

    def run(self, now: datetime) -> None:
        """Send the message of the day unless it was sent."""
        schedule = self.settings.schedule
        if schedule.find_due(now, self._sent_at) is None:
            return
        if self._tried_at is not None and now - self._tried_at < RETRY_INTERVAL:
            return
        if self._sent_at is None:
            self._sent_at = self._load_sent_at()
        if (due := schedule.find_due(now, self._sent_at)) is None:
            return
        self._tried_at = now
        conditions = sum(condition.level.is_failure for condition in self.self_check.find_conditions(now))
        message = build_watchdog_notification(
            self._format_text(conditions, now), due, is_healthy=not conditions
        )
        if self.sender.send(message, route=self.settings.route or self.sender.find_first_route()):
            self._sent_at = now
            self._store_sent_at(now)

    def _format_text(self, conditions: int, now: datetime) -> str:
        try:
            with self.database.read() as conn:
                opened = Counter(incident.priority.value for incident in incidents.load_open(conn))
                last_event_at = event_log.find_last_time(conn)
        except StoreError as error:
            return f"firstcause is alive, but its store does not answer: {error}"
        return format_watchdog(opened, last_event_at, conditions, now)

    def _load_sent_at(self) -> datetime | None:
        try:
            with self.database.read() as conn:
                return audit.find_last(conn, REPORTER, WATCHDOG_SENT)
        except StoreError:
            return None

    def _store_sent_at(self, now: datetime) -> None:
        try:
            with self.database.write(exclusive=False) as conn:
                audit.add(conn, now, REPORTER, WATCHDOG_SENT)
        except StoreError as error:
            log.error("the time of the watchdog message cannot be stored: %s", error)  # noqa: TRY400
