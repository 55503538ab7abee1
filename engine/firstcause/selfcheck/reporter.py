"""Reports conditions of firstcause itself: as events, and straight to notifiers where events are no way."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.messages import (
    REPORTER,
    build_condition_event,
    build_condition_notification,
)
from firstcause.errors import StoreError
from firstcause.health.probe_events import build_report_events
from firstcause.intake.event_intake import generate_id
from firstcause.store import alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from firstcause.config.notify import Notify
    from firstcause.core.model import Event
    from firstcause.core.selfcheck.conditions import Condition
    from firstcause.intake.event_intake import EventIntake
    from firstcause.selfcheck.direct_sender import DirectSender
    from firstcause.selfcheck.self_check import SelfCheck
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.selfcheck")

RETRY_INTERVAL = timedelta(minutes=1)
"""After which a message that no notifier took is tried again."""


@dataclass
class _DirectMessage:
    """What came of the messages about one condition. sent_by: the notifier; None until one delivered."""

    condition: Condition
    tried_at: datetime
    sent_by: str | None = None
    end_tried_at: datetime | None = None


@dataclass
class SelfReporter:
    """Notifies people about firstcause itself. One thread calls it."""

    database: Database
    settings: Notify
    self_check: SelfCheck
    intake: EventIntake
    sender: DirectSender
    _reported_at: dict[tuple[str | None, str | None, bool], datetime] = field(default_factory=dict)
    _direct: dict[tuple[str, str | None], _DirectMessage] = field(default_factory=dict)

    def run(self, now: datetime) -> None:
        """Look at all conditions, and report what has begun, lasts or is over."""
        self.self_check.refresh(now)
        conditions = self.self_check.find_conditions(now)
        report_after = self.self_check.limits.report_after
        lasting = [
            condition
            for condition in conditions
            if condition.level.is_failure and (now - condition.since).total_seconds() >= report_after
        ]
        # First what needs no store: it is the message that must go out.
        self._send_direct(lasting, now)
        # After a start the parts need a while to fail again; what was reported before is not over yet.
        if (now - self.self_check.started_at).total_seconds() >= report_after:
            self._report_events(lasting, now)

    def _report_events(self, lasting: Sequence[Condition], now: datetime) -> None:
        raised = [build_condition_event(condition, now, generate_id()) for condition in lasting]
        try:
            with self.database.read() as conn:
                active = alerts.load_active(conn)
            events = build_report_events(REPORTER, raised, active, now, generate_id)
            due = [event for event in events if self._is_due(event, now)]
            if due:
                self.intake.accept(due, now)
        except StoreError as error:
            log.error("conditions of firstcause itself cannot be stored: %s", error)  # noqa: TRY400 - one line
            return
        for event in due:
            self._reported_at[event.code, event.service, event.resolved] = now
            self._reported_at.pop((event.code, event.service, not event.resolved), None)

    def _is_due(self, event: Event, now: datetime) -> bool:
        """Whether the event is new, or was last reported a while ago: each step would else add one."""
        last = self._reported_at.get((event.code, event.service, event.resolved))
        return last is None or (now - last).total_seconds() >= self.self_check.limits.repeat

    def _send_direct(self, lasting: Sequence[Condition], now: datetime) -> None:
        """Send what the pipeline cannot send: that something began or lasts, and that it is over."""
        current = {condition.key: condition for condition in lasting if condition.needs_direct_message}
        failing = {
            condition.about for condition in lasting if condition.code == "FIRSTCAUSE_NOTIFIER_FAILING"
        }
        excluded = {name for name in failing if name is not None}
        for key, condition in current.items():
            message = self._direct.get(key)
            if message is None or self._must_repeat(message, now):
                sent_before = message.sent_by if message is not None else None
                notification = build_condition_notification(condition, now, is_over=False)
                sent_by = self.sender.send(notification, excluded=excluded, first=sent_before)
                self._direct[key] = _DirectMessage(condition, now, sent_by or sent_before)
        for key, message in list(self._direct.items()):
            if key not in current and self._send_end(message, excluded, now):
                del self._direct[key]

    def _send_end(self, message: _DirectMessage, excluded: Collection[str], now: datetime) -> bool:
        """Say that a condition is over; return whether nothing is left to be said."""
        if message.sent_by is None:
            return True
        if message.end_tried_at is not None and now - message.end_tried_at < RETRY_INTERVAL:
            return False
        message.end_tried_at = now
        notification = build_condition_notification(message.condition, now, is_over=True)
        return self.sender.send(notification, excluded=excluded, first=message.sent_by) is not None

    def _must_repeat(self, message: _DirectMessage, now: datetime) -> bool:
        if message.sent_by is None:
            return now - message.tried_at >= RETRY_INTERVAL
        interval = self.settings.repeat_interval
        return interval > 0 and (now - message.tried_at).total_seconds() >= interval
