"""The pipeline played on a store in memory: real rules, a clock that is told the time, nobody disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.config import Settings
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import Notifier
from firstcause.host import Host
from firstcause.service import Service
from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from firstcause.core.model import Event, Fact, Notification
    from firstcause.service.knowledge import Knowledge


class _Listener:
    """A plugin whose notifier writes down what it is given."""

    def __init__(self) -> None:
        self.heard: list[Notification] = []

    @hookimpl
    def firstcause_notifiers(self) -> list[Notifier]:
        return [Notifier(name="rehearsal", send=self.heard.append)]


@dataclass(frozen=True)
class Moment:
    """Events that came at one time, and what else was known then; None: as before."""

    now: datetime
    events: Sequence[Event]
    facts: Sequence[Fact] | None = None


class Rehearsal:
    """What comes of events under given rules. Waits are those of an empty configuration."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._listener = _Listener()
        host = Host([])
        host.register(self._listener, "rehearsal")
        settings = Settings.model_validate({"store": {"url": "sqlite://"}})
        self._patience = timedelta(seconds=2 * settings.notify.group_wait)
        self._service = Service(settings, host, knowledge)
        self._service.database.prepare()

    def play(self, timeline: Iterable[Moment]) -> None:
        """Moments in order, then on until all that waits is said. Starts from nothing."""
        self._clear()
        last = None
        for moment in timeline:
            self._deliver(moment.now)
            if moment.facts is not None:
                self._service.world.told = list(moment.facts)
            self._service.accept(moment.events, moment.now)
            self._service.triage_all(moment.now)
            last = moment.now
        if last is not None:
            self._deliver(last + self._patience)

    @property
    def notifications(self) -> Sequence[Notification]:
        """What was said, in order."""
        return tuple(self._listener.heard)

    def incidents(self) -> list[dict[str, Any]]:
        """As `incident ID --json` shows them, in the order of their opening."""
        listed = self._service.incidents(limit=100_000)
        return [self._service.incident(one["id"]) for one in reversed(listed)]

    def close(self) -> None:
        """The knowledge is the caller's and stays open."""
        self._service.database.close()

    def _deliver(self, now: datetime) -> None:
        while self._service.deliver(now):
            pass

    def _clear(self) -> None:
        self._listener.heard.clear()
        self._service.world.told = []
        with self._service.database.write() as conn:
            for table in reversed(metadata.sorted_tables):
                conn.execute(table.delete())
