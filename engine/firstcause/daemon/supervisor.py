"""The daemon: takes events, triages them, says what is to be said, runs probes on their intervals."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import watchfiles

from firstcause.core.text.durations import seconds
from firstcause.errors import ConfigError, FirstcauseError, RuleFileError
from firstcause.health.probe_schedule import Schedule
from firstcause.incidents.actions import silence_answer
from firstcause.incidents.serializers import entry_answer, over_limit
from firstcause.intake.listeners import Listening
from firstcause.intake.metrics import Counts
from firstcause.intake.writer import Acceptor, Room
from firstcause.notify.drills import DRILL
from firstcause.views.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from firstcause.app.application import Service
    from firstcause.app.metrics import Measures
    from firstcause.core.model import Event
    from firstcause.health.probe_runner import Check

log = logging.getLogger("firstcause")

POLL = 0.5
"""Seconds between looks at the store: another process may have put events there."""

SUSPECT_GAP = 5.0
"""Seconds that a probe rests before a suspicion may run it again ahead of its time."""

GATHER = 0.1
"""Seconds within which probes that are due run together."""

REST = 3.0
"""How many times as long as for a batch triage rests where more events came meanwhile than it took."""

MOST_REST = 2.0
"""Seconds of one rest at most."""

SWEEP = 60.0

OVER_SAID_EVERY = 3600.0
"""Seconds between warnings that the store stays above its limit."""

_SAVED_TOGETHER = 400
"""Milliseconds within which changes of files are one."""

_STOP_WITHIN = 20.0
_DEAF_WITHIN = 5.0


def clock() -> datetime:
    return datetime.now(UTC)


class Daemon:
    """Everything that runs side by side, over one service. Also what the web app asks."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.views = Views(service)
        self._stop = threading.Event()
        self._work = threading.Event()
        self._reloaded = threading.Event()
        self._said: tuple[object, ...] = ()
        self._threads: list[threading.Thread] = []
        self._over_said: float | None = None
        self._suspects: set[str] = set()
        self._wake = threading.Event()
        self._claim = contextlib.ExitStack()
        self._room = Room(service.database, service.settings.intake.max_waiting_bytes)
        self._acceptor: Acceptor | None = None
        self.counts = Counts()
        self._listening: Listening | None = None

    def start(self) -> None:
        """Prepare the store, load everything that can be wrong, then begin. Raises before anything runs."""
        service = self.service
        service.database.prepare()
        self._claim.enter_context(service.database.only_daemon())
        _ = service.knowledge, service.probes, service.notifiers
        service.release_claims()
        self._room.look()
        self._acceptor = Acceptor(service.database.inbox, clock, self._work.set, self._room)
        self._listening = self._listeners()
        self._listening.start()
        loops = (
            ("triage", self._triage),
            ("deliver", self._deliver),
            ("health", self._health),
            ("rules", self._watch_rules),
            ("prune", self._prune),
        )
        self._threads = [
            threading.Thread(target=self._forever, args=(name, step), name=name, daemon=True)
            for name, step in loops
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Store and triage what was accepted, let deliveries under way end, then stop."""
        if self._listening is not None:
            self._listening.stop(_DEAF_WITHIN)
        if self._acceptor is not None:
            self._acceptor.close()
        self._stop.set()
        self._work.set()
        self._wake.set()
        self.views.rule_testing.stop()
        for thread in self._threads:
            thread.join(timeout=_STOP_WITHIN)
        self._claim.close()

    def _listeners(self) -> Listening:
        limit = self.service.settings.intake.max_event_bytes
        return Listening(self.service.host.listeners(), self.submit, self.counts, clock, limit)

    def reload(self) -> None:
        """Take the rule files as they are now; a broken set changes nothing and is said."""
        try:
            self.service.reload(clock())
        except (RuleFileError, ConfigError) as error:
            log.error("rules not reloaded, the old ones stay live:\n%s", error)  # noqa: TRY400 - users read it
        else:
            log.info("rules reloaded: %d rules", len(self.service.knowledge.book.rules))
            self._reloaded.set()
            self._work.set()

    def _forever(self, name: str, step: Callable[[], None]) -> None:
        wait = POLL
        while not self._stop.is_set():
            try:
                step()
                wait = POLL
            except FirstcauseError as error:
                log.error("%s: %s", name, error)  # noqa: TRY400 - one line, no traceback
                wait = min(wait * 2, 30.0)
                self._stop.wait(wait)
            except Exception:
                log.exception("%s failed; it goes on", name)
                self._stop.wait(POLL)
        if name == "triage":
            with contextlib.suppress(FirstcauseError):
                self.service.triage_all(clock())

    def _triage(self) -> None:
        self._work.wait(POLL)
        self._work.clear()
        # Also where nothing waits: nothing comes in as long as it counts as full.
        self._room.look()
        said = self.service.words_at(clock())
        if self._reloaded.is_set() or said != self._said:
            self._reloaded.clear()
            self.service.reconsider(clock())
            self._said = said
        began, stored = time.monotonic(), self._running.stored
        while (done := self.service.triage(clock())).events:
            self._room.look()
            if done.suspects:
                self._suspects |= done.suspects
                self._wake.set()
            if self._running.stored - stored > done.events:
                # They come faster than we triage: leave the processor to those who wait for an answer.
                self._stop.wait(min(REST * (time.monotonic() - began), MOST_REST))
            began, stored = time.monotonic(), self._running.stored

    def _deliver(self) -> None:
        if not self.service.deliver(clock()):
            self._stop.wait(POLL / 2)

    def _prune(self) -> None:
        gone = self.service.prune(clock())
        if gone["events"] or gone["incidents"]:
            log.info("forgot %(events)d events and %(incidents)d incidents that need not be kept", gone)
        self._say_over(gone["over_max_bytes"])
        self._stop.wait(SWEEP)

    def _say_over(self, over: int) -> None:
        """Warn of a store that stays above its limit, and say when it is within it again."""
        said, self._over_said = self._over_said, None
        if not over:
            if said is not None:
                log.info("the store is within [store] max_bytes again")
            return
        now = time.monotonic()
        if said is None or now - said >= OVER_SAID_EVERY:
            log.warning(over_limit(over, self.service.settings.store.max_bytes))
            said = now
        self._over_said = said

    def _health(self) -> None:
        """Run until stopped: every probe on its interval, those that triage suspects at once, snapshots.

        A check that is slow keeps no other waiting.
        """
        service = self.service
        interval = service.settings.health.interval
        schedule = Schedule(service.probes, SUSPECT_GAP)
        running: dict[str, Check] = {}
        next_full = next_sweep = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            suspects = {name for name in list(self._suspects) if name in service.probes}
            due = schedule.due(now, suspects)
            schedule.ran(due, now)
            self._suspects -= set(due)
            running |= {name: service.begin_check(name, self._wake.set) for name in due}
            over = {name: running.pop(name).reading() for name in list(running) if running[name].over}
            if over:
                service.probed(over, clock())
                self._work.set()
            if now >= next_full and service.world.readings.keys() >= service.probes.keys():
                service.snapshot(clock())
                self._work.set()
                next_full = now + interval
            if now >= next_sweep:
                service.sweep(clock())
                next_sweep = now + SWEEP
            self._wake.wait(schedule.wait(time.monotonic(), POLL))
            self._stop.wait(GATHER)
            self._wake.clear()

    def _watch_rules(self) -> None:
        """Reload whenever a rule file is saved; until stopped, or until a folder is gone."""
        folders = [folder for folder in self.service.rule_folders if folder.exists()]
        changes = watchfiles.watch(
            *folders,
            watch_filter=lambda _change, path: path.endswith((".yaml", ".yml")),
            debounce=_SAVED_TOGETHER,
            stop_event=self._stop,
            raise_interrupt=False,
        )
        for _ in changes:
            self.reload()

    # What the web app asks

    def submit(self, events: Sequence[Event]) -> Future[None]:
        return self._running.submit(self.service.packed(events))

    def submit_as_sent(self, body: bytes) -> tuple[int, Future[None]] | None:
        parcel = self.service.as_sent(body)
        return None if parcel is None else (parcel.events, self._running.submit([parcel]))

    @property
    def _running(self) -> Acceptor:
        if self._acceptor is None:
            msg = "the daemon is not running"
            raise FirstcauseError(msg)
        return self._acceptor

    def incidents(self, status: str | None, limit: int) -> list[dict[str, Any]]:
        return self.service.incidents(status, limit)

    def incident(self, number: str) -> dict[str, Any]:
        return self.service.incident(number)

    def debug_as(self, number: str, form: str) -> str:
        return self.service.debug_as(number, form, clock())

    def explain(self, number: str) -> dict[str, Any]:
        return self.service.explain(number, clock())

    def resolve(self, number: str, fix: str | None, by: str) -> dict[str, Any]:
        return self.service.resolve(number, clock(), fix=fix, actor=by)

    def acknowledge(self, number: str, by: str, comment: str | None, *, undo: bool) -> dict[str, Any]:
        act = self.service.acting.give_back if undo else self.service.acting.acknowledge
        act(number, clock(), by, comment)
        return self.service.incident(number)

    def merge(self, number: str, into: str, by: str, reason: str | None) -> dict[str, Any]:
        self.service.acting.merge(number, into, clock(), by, reason)
        self.service.reconsider(clock())
        return self.service.incident(into)

    def split(self, number: str, ids: Sequence[str], by: str, reason: str | None) -> dict[str, Any]:
        self.service.acting.split(number, ids, clock(), by, reason)
        self.service.reconsider(clock())
        return self.service.incident(number)

    def silences(self, *, ended: bool) -> list[dict[str, Any]]:
        return self.service.acting.silences(clock(), ended=ended)

    def silence(self, matchers: Sequence[str], length: float, by: str, comment: str | None) -> dict[str, Any]:
        now = clock()
        made = self.service.acting.silence(matchers, now, length=length, by=by, comment=comment)
        self._work.set()
        return silence_answer(made, now)

    def silence_incident(self, number: str, length: str, by: str, comment: str | None) -> dict[str, Any]:
        matchers = self.service.acting.silence_incident(number)
        return self.silence(matchers, seconds(length), by, comment)

    def end_silence(self, number: str, by: str) -> dict[str, Any]:
        now = clock()
        ended = self.service.acting.end_silence(number, now, by)
        self._work.set()
        return silence_answer(ended, now)

    def catalog(self) -> list[dict[str, Any]]:
        return [entry_answer(entry) for entry in self.service.catalog.entries.values()]

    def run_probe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._tick([name])["infrastructure"][name]
        return {"name": name, **found}

    def _tick(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        found = self.service.tick(clock(), names, triage=False)
        self._work.set()
        return found

    def health(self) -> dict[str, Any]:
        return self.service.health()

    def check(self) -> dict[str, Any]:
        return self._tick()

    def snapshots(self, limit: int) -> list[dict[str, Any]]:
        return self.service.history.snapshots(limit)

    def snapshot(self, name: str) -> dict[str, Any]:
        return self.service.history.snapshot(name)

    def pin(self, name: str, by: str, *, undo: bool) -> dict[str, Any]:
        if undo:
            self.service.history.unpin(clock(), by)
            return self.service.history.snapshot(name)
        return self.service.history.pin(name, clock(), by)

    def drill(self, route: str, by: str) -> str:
        now = clock()
        event = self.service.drill(DRILL, route, now)
        self.service.acting.note(now, by, "sent a drill", about=f"route {route}")
        self._work.set()
        return event

    def drilled(self, event: str) -> dict[str, Any]:
        return self.service.drilled(event)

    def remedies(self) -> list[dict[str, Any]]:
        return self.service.remedying.listed()

    def plan_remedy(self, name: str) -> dict[str, Any]:
        return self.service.remedying.plan(name)

    def run_remedy(self, name: str, by: str) -> dict[str, Any]:
        return self.service.remedying.run(name, clock(), by)

    def test_rules(self) -> None:
        self.views.rule_testing.begin(clock())

    def diff(self, before: str, after: str) -> dict[str, Any]:
        return self.service.history.diff(before, after)

    def trend(self, metric: str, minutes: float) -> dict[str, Any]:
        return self.service.history.trend(metric, minutes, clock())

    def forecast(self, metric: str, limit: float | None, minutes: float) -> dict[str, Any]:
        return self.service.history.forecast(metric, limit, minutes, clock())

    def status(self) -> dict[str, Any]:
        return self.service.status(clock()) | {"intake": self.counts.answer()}

    def measures(self) -> Measures:
        return self.service.measures()

    def ready(self) -> dict[str, str]:
        parts = self.service.ready()
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        return parts | {"loops": f"stopped: {', '.join(dead)}" if dead else "ok"}
