"""A whole firstcause in the test's process, over a store of its own: what the daemon does, step by step."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from firstcause.app.application import Application
from firstcause.config import FixedSettings
from firstcause.core.model import Event, Priority, Severity
from firstcause.core.notification import Notification, NotifyReason
from firstcause.core.text.durations import parse_duration
from firstcause.errors import FirstcauseError
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import Notifier
from firstcause.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from firstcause.plugins.plugin import PluginState

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
RECORDED = "recorded"
"""The name of the notifier that every host has."""

_event_numbers = itertools.count(1)


@dataclass
class FakeClock:
    """The host's clock, which only the test moves."""

    now: datetime = START

    def advance(self, duration: str | float) -> datetime:
        """Move on by a duration such as "5m", or seconds, and return the new time."""
        seconds = parse_duration(duration) if isinstance(duration, str) else duration
        self.now += timedelta(seconds=seconds)
        return self.now


@dataclass
class RecordedNotifier:
    """A notifier that keeps what it is asked to send. failures: what its next calls raise, one each."""

    received: list[Notification] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, notification: Notification) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.received.append(notification)
        return f"{RECORDED}-{len(self.received)}"

    @hookimpl
    def firstcause_notifiers(self) -> list[Notifier]:
        return [Notifier(RECORDED, self.send)]


class Host:
    """firstcause with plugins in it, over a store in `folder`.

    modules: the plugins' modules, or objects with hooks. name: of the first of them; None: its module's name
        without "firstcause_". config: the table [plugins.NAME] of the first. plugins: tables of the others,
        by their modules' names. settings: further sections of config.toml, such as `notify={...}`.
    strict: whether a problem of a plugin fails the test at once.

    Messages go to `recorded`, unless `notify` has routes of its own.
    """

    def __init__(
        self,
        folder: Path,
        *modules: Any,
        name: str | None = None,
        config: Mapping[str, Any] = MappingProxyType({}),
        plugins: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        strict: bool = True,
        **settings: Any,
    ) -> None:
        self.clock = FakeClock()
        self.recorded = RecordedNotifier()
        self._strict = strict
        self._manager = PluginManager([])
        self._manager.register(self.recorded, RECORDED)
        for index, module in enumerate(modules):
            own_name = name if name is not None and index == 0 else _name_plugin(module)
            table = config if index == 0 else plugins.get(own_name, {})
            self._manager.register(module, own_name, table)
        self.app = Application(_build_settings(folder, settings), self._manager)
        self.app.database.prepare()
        self.app.load()
        self._check_problems()

    def close(self) -> None:
        self.app.close()

    @property
    def problems(self) -> list[str]:
        """What is wrong with the plugins, as `plugins list` says it."""
        return [f"{state.name}: {problem}" for state in self.states for problem in state.problems]

    @property
    def states(self) -> list[PluginState]:
        return self._manager.states()

    @property
    def notifications(self) -> list[Notification]:
        """What the recorded notifier was asked to send."""
        return self.recorded.received

    def report(self, code: str | None = None, **fields: Any) -> dict[str, Any]:
        """Report an error and return its incident, with the fields of `firstcause incident ID --json`.

        fields: those of an event, such as message, tenant, service, severity, details and tags.
        """
        event = make_event(code, time=self.clock.now, **fields)
        self.take(event)
        incident = self.app.incidents.find_by_event(event.id)
        assert incident is not None, f"no incident has the event {event.id}"
        return incident

    def take(self, *events: Event) -> None:
        """Accept and triage events, such as those that an intake format or a listener made."""
        self.app.intake.accept(events, self.clock.now)
        self.app.pipeline.triage_all(self.clock.now)
        self._check_problems()

    def run_probe(self, name: str) -> dict[str, Any]:
        """Run a probe now, and triage what it reports. Returns status, latency_ms and detail."""
        result = self.app.health.check(self.clock.now, [name])
        self.app.pipeline.triage_all(self.clock.now)
        self._check_problems()
        reading: dict[str, Any] = result["infrastructure"][name]
        return reading

    def deliver(self, after: str | float = "5m") -> list[Notification]:
        """Move the clock and send what is due by then. Returns what the recorded notifier got."""
        before = len(self.recorded.received)
        self.clock.advance(after)
        while self.app.notifications.deliver(self.clock.now):
            pass
        return self.recorded.received[before:]

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        """List the incidents. status: open, resolved or merged; None for all."""
        return self.app.incidents.list_incidents(status, 1000)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> list[Event]:
        """Send a body to the intake format of this path, triage its events, and return them.

        IntakeError: what the sender would be told.
        """
        form = next((form for form in self._manager.formats() if form.path == path), None)
        assert form is not None, f"no plugin has an intake format {path!r}"
        result = form.parse(body, {name.lower(): value for name, value in headers.items()})
        events = list(result if isinstance(result, list | tuple) else result.events)  # type: ignore[union-attr]
        if events:
            self.take(*events)
        return events

    def run_remedy(self, name: str) -> str:
        """Run a remedy and return its line."""
        return str(self.app.remedies.run(name, self.clock.now, "test")["text"])

    def _check_problems(self) -> None:
        if self._strict and (problems := self.problems):
            raise FirstcauseError("\n".join(problems))


def make_event(code: str | None = None, **fields: Any) -> Event:
    """Make an event; what is not given is filled in."""
    defaults: dict[str, Any] = {"id": f"test-{next(_event_numbers)}", "time": START, "code": code}
    if code is None:
        defaults["message"] = "something failed"
    return Event.model_validate(defaults | fields)


def make_notification(**fields: Any) -> Notification:
    """Make a notification as a notifier gets it; what is not given is filled in."""
    defaults: dict[str, Any] = {
        "id": "12-1-20260105T090000",
        "incident_id": "12",
        "reason": NotifyReason.FIRST,
        "priority": Priority.P1,
        "severity": Severity.CRITICAL,
        "code": "QUEUE_STUCK",
        "title": "The queue is stuck",
        "text": "CRITICAL: The queue is stuck (#12)",
        "body": "The queue is stuck.\n\nFix: restart the worker.",
        "opened_at": START,
        "service": "worker",
        "component": "queue",
        "link": "https://errors.example.org/incidents/12",
        "incidents": ("12",),
    }
    return Notification.model_validate(defaults | fields)


def _name_plugin(module: Any) -> str:
    name = getattr(module, "__name__", type(module).__name__)
    return str(name).rpartition(".")[2].removeprefix("firstcause_")


def _build_settings(folder: Path, settings: Mapping[str, Any]) -> FixedSettings:
    notify = {"routes": [{"name": "test", "notifiers": [RECORDED]}], **settings.get("notify", {})}
    store = {"url": f"sqlite:///{folder / 'firstcause.db'}"}
    return FixedSettings.model_validate({"store": store, "folder": folder, **settings, "notify": notify})
