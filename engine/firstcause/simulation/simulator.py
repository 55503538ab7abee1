"""The pipeline played on a store in memory: real rules, a clock that is told the time, nobody disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.app.application import Service
from firstcause.config import Settings
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import Notifier
from firstcause.plugins.manager import Host
from firstcause.store import alerts, outbox
from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from firstcause.core.model import Event, Fact, Notification
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.store.database import Database


_AFTER = timedelta(milliseconds=1)
"""How long after its birthday an alert is looked at: then both `gt` and `gte` hold."""


class _Listener:
    """A plugin whose notifier writes down what it is given."""

    def __init__(self) -> None:
        self.heard: list[Notification] = []

    @hookimpl
    def firstcause_notifiers(self) -> list[Notifier]:
        # A limit is no matter of the rules: the last resort has none.
        return [Notifier(name="rehearsal", send=self.heard.append, last_resort=True)]


@dataclass(frozen=True)
class Moment:
    """Events that came at one time, and what else was known then; None: as before.

    closed: fingerprints of the alerts of an incident that a person resolved.
    """

    now: datetime
    events: Sequence[Event]
    facts: Sequence[Fact] | None = None
    closed: frozenset[str] = frozenset()


class Rehearsal:
    """What comes of events under given rules.

    group_wait: seconds, None for the default. store: its URL, None for one in memory. sweeping: alerts that
    nobody reports any more end, as they do while the daemon runs.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        group_wait: float | None = None,
        store: str | None = None,
        *,
        sweeping: bool = False,
    ) -> None:
        self._listener = _Listener()
        host = Host([])
        host.register(self._listener, "rehearsal")
        # Nobody acknowledges anything here, so nobody is reminded.
        notify: dict[str, float] = {"repeat_interval": 0}
        if group_wait is not None:
            notify["group_wait"] = group_wait
        settings = Settings.model_validate({"store": {"url": store or "sqlite://"}, "notify": notify})
        self._patience = timedelta(seconds=2 * settings.notify.group_wait)
        self._ages = knowledge.inference.limits("alert", "age_s")
        self._quiet_after = settings.intake.quiet_after if sweeping else None
        self._service = Service(settings, host, knowledge)
        self._service.database.prepare()

    @property
    def database(self) -> Database:
        return self._service.database

    def play(self, timeline: Iterable[Moment], until: datetime | None = None) -> None:
        """Moments in order, then on until that time, or until all that waits is said. Starts from nothing."""
        self._clear()
        self.go_on(timeline, until)

    def go_on(self, timeline: Iterable[Moment], until: datetime | None = None) -> None:
        """As `play`, from what the store holds."""
        last = None
        self._service.world.told = []
        for moment in timeline:
            self._pass(last, moment.now)
            self._close(moment)
            if moment.facts is not None:
                self._service.world.told = list(moment.facts)
                if not moment.events:
                    self._service.reconsider(moment.now)
            if moment.events:
                self._service.accept(moment.events, moment.now)
                self._service.triage_all(moment.now)
            last = moment.now
        if last is not None:
            self._pass(last, last + self._patience if until is None else until)

    def _pass(self, since: datetime | None, until: datetime) -> None:
        """Let time go by: say what is due, and ask rules when an alert gets as old as they want it."""
        for at in self._birthdays(since, until) if self._ages and since is not None else ():
            self._deliver(at)
            self._service.reconsider(at)
        for at in self._quiet(since, until) if self._quiet_after and since is not None else ():
            self._deliver(at)
            self._service.sweep(at)
            self._service.triage_all(at)
        self._deliver(until)

    def _quiet(self, since: datetime, until: datetime) -> list[datetime]:
        length = timedelta(seconds=self._quiet_after or 0) + _AFTER
        with self.database.read() as conn:
            ends = {alert.last_seen + length for alert in alerts.active(conn)}
        return sorted(at for at in ends if since < at < until)

    def _birthdays(self, since: datetime, until: datetime) -> list[datetime]:
        with self.database.read() as conn:
            begun = {alert.first_seen for alert in alerts.active(conn)}
        passed = {first + timedelta(seconds=age) + _AFTER for first in begun for age in self._ages}
        return sorted(at for at in passed if since < at < until)

    def _close(self, moment: Moment) -> None:
        if not moment.closed:
            return
        for one in self._service.incidents("open", limit=None):
            if moment.closed & set(self._service.fingerprints(one["id"])):
                self._service.resolve(one["id"], moment.now, fix=None, actor="rehearsal")

    @property
    def notifications(self) -> Sequence[Notification]:
        """What was said, in order."""
        return tuple(self._listener.heard)

    def incidents(self) -> list[dict[str, Any]]:
        """As `incident ID --json` shows them, in the order of their opening."""
        listed = self._service.incidents(limit=None)
        return [self._service.incident(one["id"]) for one in reversed(listed)]

    def suspects(self, now: datetime) -> list[Suspect]:
        """All that may be the root of what is active, likeliest first."""
        return self._service.suspects(now)

    def close(self) -> None:
        """The knowledge is the caller's and stays open."""
        self._service.database.close()

    def _deliver(self, now: datetime) -> None:
        """What is due by then, each message at its own time."""
        while (due := self._next_due()) is not None and due <= now:
            if not self._service.deliver(due):
                break

    def _next_due(self) -> datetime | None:
        with self.database.read() as conn:
            return outbox.next_due(conn)

    def _clear(self) -> None:
        self._listener.heard.clear()
        with self._service.database.write() as conn:
            for table in reversed(metadata.sorted_tables):
                conn.execute(table.delete())
