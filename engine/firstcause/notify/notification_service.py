"""Notifications: queued messages are delivered, people are reminded, and drills test the whole line."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from firstcause.intake.event_intake import generate_id
from firstcause.notify import drills
from firstcause.notify.attempt import AttemptResult, attempt
from firstcause.notify.composer import MessageComposer
from firstcause.notify.delivery import Delivery
from firstcause.notify.notifier_calls import NotifierCalls
from firstcause.notify.queue import NotificationQueue
from firstcause.notify.reminders import ReminderScheduler
from firstcause.notify.restart_report import RestartReport
from firstcause.notify.routes import list_routes
from firstcause.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from firstcause.config.notify import Notify
    from firstcause.core.downtime import Downtime
    from firstcause.core.notification import Notification
    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Notifier
    from firstcause.incidents.incident_service import IncidentService
    from firstcause.intake.event_intake import EventIntake
    from firstcause.notify.dispatcher import DeliveryDispatcher
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database

REMINDER_INTERVAL = timedelta(seconds=5)
"""How often reminders are scheduled."""


class NotificationService:
    """Delivers messages and sends drills.

    list_notifiers: returns the notifiers of plugins.
    wake: wakes the loop that triages; does nothing where no such loop runs.
    """

    def __init__(
        self,
        database: Database,
        settings: Notify,
        *,
        rules: LiveRules,
        incidents: IncidentService,
        intake: EventIntake,
        list_notifiers: Callable[[], Sequence[Notifier]],
        get_mask: Callable[[], Mask],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._rules = rules
        self._incidents = incidents
        self._intake = intake
        self._list_notifiers = list_notifiers
        self._get_mask = get_mask
        self._wake = wake
        self._calls = NotifierCalls()
        self._reminded_at: datetime | None = None

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:
        """The notifiers that routes can name, by name."""
        return {notifier.name: notifier for notifier in self._list_notifiers()}

    @cached_property
    def queue(self) -> NotificationQueue:
        """Where messages are queued."""
        return NotificationQueue(self._settings.by_name, self.notifiers, self._settings.group_wait)

    @property
    def has_configured_routes(self) -> bool:
        """Whether the configuration has routes of its own, so that no default route is used."""
        return bool(self._settings.by_name)

    def list_routes(self) -> dict[str, tuple[str, ...]]:
        """The notifiers, in order, of each route by its name."""
        return list_routes(self._settings.by_name, self.notifiers)

    def deliver(self, now: datetime) -> int:
        """Deliver the messages that are due, one after the other. Returns how many were tried."""
        self._schedule_reminders(now)
        count = 0
        for job in self._create_delivery(lambda: now).start_jobs(now, busy=None):
            job.run()
            count += 1
        return count

    def dispatch(self, dispatcher: DeliveryDispatcher, clock: Callable[[], datetime]) -> int:
        """Start to deliver the messages that are due, a thread for each notifier. Returns how many."""
        now = clock()
        self._schedule_reminders(now)
        busy = dispatcher.list_busy()
        return dispatcher.start(self._create_delivery(clock).start_jobs(now, busy))

    def list_hanging(self) -> dict[str, datetime]:
        """List the notifiers whose earlier call has not returned, and since when; they are passed over."""
        return self._calls.list_hanging()

    def send_directly(self, name: str, notification: Notification, now: datetime) -> AttemptResult:
        """Let a notifier send a message at once, without the outbox. Never raises."""
        return attempt(self._calls, self.notifiers[name], notification, now)

    def _schedule_reminders(self, now: datetime) -> None:
        if self._reminded_at is None or abs(now - self._reminded_at) >= REMINDER_INTERVAL:
            ReminderScheduler(self._database, self._settings).run(now)
            self._reminded_at = now

    def _create_delivery(self, clock: Callable[[], datetime]) -> Delivery:
        composer = MessageComposer(
            self._rules.catalog,
            self._incidents.change_finder,
            self._incidents.fix_suggestions,
            self._get_mask(),
            self._settings.link,
        )
        return Delivery(
            self._database, self.notifiers, self._calls, composer, self.queue, self._settings, clock
        )

    def report_restart(self, downtime: Downtime, now: datetime) -> None:
        """Queue one message for each route that knows of incidents which are still open."""
        with self._database.write() as conn:
            RestartReport(self._settings, self.notifiers).queue(conn, downtime, now)

    def release_claims(self) -> None:
        """Make messages available again that a process had claimed when it ended."""
        with self._database.write() as conn:
            outbox.release_all(conn)

    def send_drill(self, code: str, route: str | None, now: datetime, actor: str | None = None) -> str:
        """Report a drill. Returns the id of its event.

        route: None for all routes that match. actor: who sends the drill, for the audit log; None to leave
        the log as it is. NotFoundError where there is no such catalog entry or route.
        """
        routes = self._settings.by_name
        event = drills.build_drill_event(code, route, self._rules.catalog, routes, now, generate_id())
        self._intake.accept([event], now)
        if actor is not None:
            drills.record_sender(self._database, now, actor, route)
        self._wake()
        return event.id

    def get_drill_outcome(self, event_id: str) -> dict[str, Any]:
        """What came of a drill so far."""
        return drills.get_drill_outcome(self._database, event_id)
