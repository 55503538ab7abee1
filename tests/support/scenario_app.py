"""An application over a real store: scripted probes, collecting notifiers, a clock that the test sets."""

from __future__ import annotations

import types
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause import (
    DeliveryError,
    DeliveryReport,
    Enrichment,
    Notification,
    Notifier,
    Probe,
    Reading,
    Status,
    hookimpl,
)
from firstcause.app.application import Application
from firstcause.config import Settings
from firstcause.core.model import Event
from firstcause.pipeline.decoding import decode
from firstcause.plugins.manager import PluginManager
from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


@dataclass
class Phone:
    """A notifier. failing: what its next deliveries raise, one each.

    before_delivery: called before each delivery. find_sent, check_delivery: as those of a Notifier.
    """

    name: str
    depends_on: frozenset[str] = frozenset()
    last_resort: bool = False
    failing: list[Exception] = field(default_factory=list)
    received: list[Notification] = field(default_factory=list)
    before_delivery: Callable[[Notification], None] = lambda _notification: None
    find_sent: Callable[[Notification], str | None] | None = None
    check_delivery: Callable[[str], DeliveryReport] | None = None

    def notifier(self) -> Notifier:
        return Notifier(
            name=self.name,
            send=self._send,
            depends_on=self.depends_on,
            last_resort=self.last_resort,
            timeout=5,
            find_sent=self.find_sent,
            check_delivery=self.check_delivery,
        )

    def _send(self, notification: Notification) -> str:
        self.before_delivery(notification)
        if self.failing:
            raise self.failing.pop(0)
        self.received.append(notification)
        return f"{self.name}-{len(self.received)}"

    @property
    def summaries(self) -> list[str]:
        return [f"{notification.reason} {notification.code}" for notification in self.received]


NO_STORMS = {"thresholds": {"diagnosis_join": 0}}
"""Settings of rules with which unknown errors that begin together are incidents of their own."""


class Stage:
    """One application, its people and its clock. Times are seconds from the start."""

    def __init__(self, store_url: str, folder: Path, *phones: Phone, **settings: Any) -> None:
        self.phones = phones or (Phone("phone"),)
        self.readings: dict[str, Reading] = {}
        self.components = {"twilio": "twilio"}
        self.enrichment: Callable[[Event], Enrichment | None] = lambda _event: None
        self._event_count = 0
        host = PluginManager([])
        host.register(self._build_plugin(), "stage")
        values = {
            "store": {"url": store_url},
            "notify": {"group_wait": 30, "retry_attempts": 3, "routes": [self._build_route()]},
            "folder": folder,
        }
        self.app = Application(Settings.model_validate(values | settings), host)
        self.app.database.prepare()

    def _build_route(self) -> dict[str, Any]:
        return {"name": "on call", "notifiers": [phone.name for phone in self.phones]}

    def _build_plugin(self) -> types.ModuleType:
        stage = self

        @hookimpl
        def firstcause_probes() -> list[Probe]:
            return [
                Probe(name, component, lambda name=name: stage.readings[name], "TWILIO_API_FAILURE")  # type: ignore[misc]
                for name, component in stage.components.items()
            ]

        @hookimpl
        def firstcause_notifiers() -> list[Notifier]:
            return [phone.notifier() for phone in stage.phones]

        @hookimpl
        def firstcause_enrich(event: Event) -> Enrichment | None:
            return stage.enrichment(event)

        module = types.ModuleType("stage")
        vars(module).update(
            firstcause_probes=firstcause_probes,
            firstcause_notifiers=firstcause_notifiers,
            firstcause_enrich=firstcause_enrich,
        )
        return module

    def restart(self) -> None:
        """The same store, by an application that remembers nothing."""
        settings, host = self.app.settings, self.app.plugins
        self.app.close()
        self.app = Application(settings, host)
        self.app.database.prepare()

    def time(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def event(self, seconds: float, code: str | None = None, **fields: Any) -> Event:
        self._event_count += 1
        defaults = {"id": f"event {self._event_count}", "time": self.time(seconds), "code": code}
        return Event.model_validate(defaults | fields)

    def report(self, seconds: float, *codes: str, **fields: Any) -> None:
        """Events of these codes at that time, accepted and triaged."""
        self.take(seconds, *(self.event(seconds, code, **fields) for code in codes))

    def take(self, seconds: float, *events: Event) -> None:
        self.app.intake.accept(events, self.time(seconds))
        self.app.pipeline.triage_all(self.time(seconds))

    def probe(self, seconds: float, status: Status, **fields: Any) -> None:
        self.readings["twilio"] = Reading(status=status, **fields)
        self.app.health.check(self.time(seconds))

    def deliver(self, seconds: float) -> None:
        """All deliveries that are due by then."""
        while self.app.notifications.deliver(self.time(seconds)):
            pass

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        return self.app.incidents.list_incidents(status, 1000)

    def incident(self) -> dict[str, Any]:
        """The one that there is."""
        (row,) = self.incidents()
        return self.app.incidents.get_incident(row["id"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        database = self.app.database
        with database.read() as conn:
            return [dict(row) for row in conn.execute(sa.select(metadata.tables[table])).mappings()]

    def accepted(self) -> list[dict[str, Any]]:
        """The events on disk, triaged by now or not: event_id, event."""
        # The inbox first: what leaves it meanwhile is in the history by then.
        database = self.app.database
        with database.read() as conn:
            batch = database.inbox.load_pending(conn, 1_000_000)
        decoded = [entry for parcel in batch.payloads for entry in decode(parcel)]
        events = [entry.event for entry in decoded if entry.event is not None]
        events_by_id = {event.id: event.model_dump(mode="json", exclude_defaults=True) for event in events}
        events_by_id |= {row["event_id"]: row["event"] for row in self.rows("event")}
        return [{"event_id": name, "event": event} for name, event in events_by_id.items()]

    def everything_stored(self) -> str:
        return "\n".join(
            repr({name: _decompress(value) for name, value in row.items()})
            for table in metadata.tables
            for row in self.rows(table)
        )


def _decompress(value: Any) -> Any:
    """What is stored compact, as it can be read."""
    if not isinstance(value, bytes):
        return value
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


__all__ = ["START", "DeliveryError", "Phone", "Stage", "Status"]
