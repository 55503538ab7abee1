"""The daemon: takes events, triages them, says what is to be said, runs probes on their intervals."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import watchfiles

from firstcause.core.text.durations import parse_duration
from firstcause.errors import ConfigError, FirstcauseError, RuleFileError
from firstcause.health.probe_schedule import Schedule
from firstcause.incidents.actions import serialize_silence
from firstcause.incidents.serializers import format_over_limit, serialize_entry
from firstcause.intake.listeners import ListenerSupervisor
from firstcause.intake.metrics import IntakeMetrics
from firstcause.intake.writer import BacklogLimit, GroupCommitWriter
from firstcause.notify.drills import DRILL_CODE
from firstcause.views.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from firstcause.app.application import Service
    from firstcause.app.metrics import Metrics
    from firstcause.core.model import Event
    from firstcause.health.probe_runner import ProbeRun

log = logging.getLogger("firstcause")

POLL_INTERVAL_S = 0.5
"""Seconds between looks at the store: another process may have put events there."""

SUSPECT_GAP_S = 5.0
"""Seconds that a probe rests before a suspicion may run it again ahead of its time."""

GATHER_WINDOW_S = 0.1
"""Seconds within which probes that are due run together."""

REST_FACTOR = 3.0
"""How many times as long as for a batch triage rests where more events came meanwhile than it took."""

MAX_REST_S = 2.0
"""Seconds of one rest at most."""

SWEEP_INTERVAL_S = 60.0

OVER_LIMIT_WARNING_INTERVAL_S = 3600.0
"""Seconds between warnings that the store stays above its limit."""

_RELOAD_DEBOUNCE_MS = 400
"""Milliseconds within which changes of files are one."""

_STOP_TIMEOUT_S = 20.0
_LISTENER_STOP_TIMEOUT_S = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Daemon:
    """Everything that runs side by side, over one service. Also what the web app asks."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.views = Views(service)
        self._stopping = threading.Event()
        self._pipeline_wake = threading.Event()
        self._reloaded = threading.Event()
        self._override_version: tuple[object, ...] = ()
        self._threads: list[threading.Thread] = []
        self._over_limit_warned_at: float | None = None
        self._suspected_probes: set[str] = set()
        self._health_wake = threading.Event()
        self._daemon_claim = contextlib.ExitStack()
        self._backlog_limit = BacklogLimit(service.database, service.settings.intake.max_waiting_bytes)
        self._writer: GroupCommitWriter | None = None
        self.intake_metrics = IntakeMetrics()
        self._listener_threads: ListenerSupervisor | None = None

    def start(self) -> None:
        """Prepare the store, load everything that can be wrong, then begin. Raises before anything runs."""
        service = self.service
        service.database.prepare()
        self._daemon_claim.enter_context(service.database.hold_daemon_lock())
        _ = service.knowledge, service.probes, service.notifiers
        service.release_claims()
        self._backlog_limit.refresh()
        self._writer = GroupCommitWriter(
            service.database.inbox, utc_now, self._pipeline_wake.set, self._backlog_limit
        )
        self._listener_threads = self._create_listeners()
        self._listener_threads.start()
        loops = (
            ("triage", self._process_events),
            ("deliver", self._deliver_messages),
            ("health", self._run_health_checks),
            ("rules", self._watch_rules),
            ("prune", self._prune_store),
        )
        self._threads = [
            threading.Thread(target=self._run_loop, args=(name, step), name=name, daemon=True)
            for name, step in loops
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Store and triage what was accepted, let deliveries under way end, then stop."""
        if self._listener_threads is not None:
            self._listener_threads.stop(_LISTENER_STOP_TIMEOUT_S)
        if self._writer is not None:
            self._writer.close()
        self._stopping.set()
        self._pipeline_wake.set()
        self._health_wake.set()
        self.views.rule_test_job.stop()
        for thread in self._threads:
            thread.join(timeout=_STOP_TIMEOUT_S)
        self._daemon_claim.close()

    def _create_listeners(self) -> ListenerSupervisor:
        limit = self.service.settings.intake.max_event_bytes
        return ListenerSupervisor(
            self.service.host.listeners(), self.submit, self.intake_metrics, utc_now, limit
        )

    def reload(self) -> None:
        """Take the rule files as they are now; a broken set changes nothing and is said."""
        try:
            self.service.reload(utc_now())
        except (RuleFileError, ConfigError) as error:
            log.error("rules not reloaded, the old ones stay live:\n%s", error)  # noqa: TRY400 - users read it
        else:
            log.info("rules reloaded: %d rules", len(self.service.knowledge.book.rules))
            self._reloaded.set()
            self._pipeline_wake.set()

    def _run_loop(self, name: str, step: Callable[[], None]) -> None:
        wait = POLL_INTERVAL_S
        while not self._stopping.is_set():
            try:
                step()
                wait = POLL_INTERVAL_S
            except FirstcauseError as error:
                log.error("%s: %s", name, error)  # noqa: TRY400 - one line, no traceback
                wait = min(wait * 2, 30.0)
                self._stopping.wait(wait)
            except Exception:
                log.exception("%s failed; it goes on", name)
                self._stopping.wait(POLL_INTERVAL_S)
        if name == "triage":
            with contextlib.suppress(FirstcauseError):
                self.service.triage_all(utc_now())

    def _process_events(self) -> None:
        self._pipeline_wake.wait(POLL_INTERVAL_S)
        self._pipeline_wake.clear()
        # Also where nothing waits: nothing comes in as long as it counts as full.
        self._backlog_limit.refresh()
        override_version = self.service.words_at(utc_now())
        if self._reloaded.is_set() or override_version != self._override_version:
            self._reloaded.clear()
            self.service.reconsider(utc_now())
            self._override_version = override_version
        started, stored = time.monotonic(), self._active_writer.stored_count
        while (batch := self.service.triage(utc_now())).events:
            self._backlog_limit.refresh()
            if batch.suspect_probes:
                self._suspected_probes |= batch.suspect_probes
                self._health_wake.set()
            if self._active_writer.stored_count - stored > batch.events:
                # They come faster than we triage: leave the processor to those who wait for an answer.
                self._stopping.wait(min(REST_FACTOR * (time.monotonic() - started), MAX_REST_S))
            started, stored = time.monotonic(), self._active_writer.stored_count

    def _deliver_messages(self) -> None:
        if not self.service.deliver(utc_now()):
            self._stopping.wait(POLL_INTERVAL_S / 2)

    def _prune_store(self) -> None:
        pruned = self.service.prune(utc_now())
        if pruned["events"] or pruned["incidents"]:
            log.info("forgot %(events)d events and %(incidents)d incidents that need not be kept", pruned)
        self._warn_over_limit(pruned["over_max_bytes"])
        self._stopping.wait(SWEEP_INTERVAL_S)

    def _warn_over_limit(self, excess_bytes: int) -> None:
        """Warn of a store that stays above its limit, and say when it is within it again."""
        warned_at, self._over_limit_warned_at = self._over_limit_warned_at, None
        if not excess_bytes:
            if warned_at is not None:
                log.info("the store is within [store] max_bytes again")
            return
        now = time.monotonic()
        if warned_at is None or now - warned_at >= OVER_LIMIT_WARNING_INTERVAL_S:
            log.warning(format_over_limit(excess_bytes, self.service.settings.store.max_bytes))
            warned_at = now
        self._over_limit_warned_at = warned_at

    def _run_health_checks(self) -> None:
        """Run until stopped: every probe on its interval, those that triage suspects at once, snapshots.

        A check that is slow keeps no other waiting.
        """
        service = self.service
        interval = service.settings.health.interval
        schedule = Schedule(service.probes, SUSPECT_GAP_S)
        running: dict[str, ProbeRun] = {}
        next_full = next_sweep = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            suspects = {name for name in list(self._suspected_probes) if name in service.probes}
            due = schedule.list_due(now, suspects)
            schedule.mark_started(due, now)
            self._suspected_probes -= set(due)
            running |= {name: service.begin_check(name, self._health_wake.set) for name in due}
            finished = {
                name: running.pop(name).wait_for_reading()
                for name in list(running)
                if running[name].is_finished
            }
            if finished:
                service.probed(finished, utc_now())
                self._pipeline_wake.set()
            if now >= next_full and service.world.readings.keys() >= service.probes.keys():
                service.snapshot(utc_now())
                self._pipeline_wake.set()
                next_full = now + interval
            if now >= next_sweep:
                service.sweep(utc_now())
                next_sweep = now + SWEEP_INTERVAL_S
            self._health_wake.wait(schedule.compute_wait(time.monotonic(), POLL_INTERVAL_S))
            self._stopping.wait(GATHER_WINDOW_S)
            self._health_wake.clear()

    def _watch_rules(self) -> None:
        """Reload whenever a rule file is saved; until stopped, or until a folder is gone."""
        folders = [folder for folder in self.service.rule_folders if folder.exists()]
        changes = watchfiles.watch(
            *folders,
            watch_filter=lambda _change, path: path.endswith((".yaml", ".yml")),
            debounce=_RELOAD_DEBOUNCE_MS,
            stop_event=self._stopping,
            raise_interrupt=False,
        )
        for _ in changes:
            self.reload()

    # What the web app asks

    def submit(self, events: Sequence[Event]) -> Future[None]:
        return self._active_writer.submit(self.service.packed(events))

    def submit_verbatim(self, body: bytes) -> tuple[int, Future[None]] | None:
        payload = self.service.as_sent(body)
        return None if payload is None else (payload.event_count, self._active_writer.submit([payload]))

    @property
    def _active_writer(self) -> GroupCommitWriter:
        if self._writer is None:
            msg = "the daemon is not running"
            raise FirstcauseError(msg)
        return self._writer

    def incidents(self, status: str | None, limit: int) -> list[dict[str, Any]]:
        return self.service.incidents(status, limit)

    def incident(self, incident_id: str) -> dict[str, Any]:
        return self.service.incident(incident_id)

    def render_debug_report(self, incident_id: str, output_format: str) -> str:
        return self.service.debug_as(incident_id, output_format, utc_now())

    def explain(self, incident_id: str) -> dict[str, Any]:
        return self.service.explain(incident_id, utc_now())

    def resolve(self, incident_id: str, fix: str | None, actor: str) -> dict[str, Any]:
        return self.service.resolve(incident_id, utc_now(), fix=fix, actor=actor)

    def acknowledge(self, incident_id: str, actor: str, comment: str | None, *, undo: bool) -> dict[str, Any]:
        action = self.service.acting.unacknowledge if undo else self.service.acting.acknowledge
        action(incident_id, utc_now(), actor, comment)
        return self.service.incident(incident_id)

    def merge(self, incident_id: str, into: str, actor: str, reason: str | None) -> dict[str, Any]:
        self.service.acting.merge(incident_id, into, utc_now(), actor, reason)
        self.service.reconsider(utc_now())
        return self.service.incident(into)

    def split(
        self, incident_id: str, alert_ids: Sequence[str], actor: str, reason: str | None
    ) -> dict[str, Any]:
        self.service.acting.split(incident_id, alert_ids, utc_now(), actor, reason)
        self.service.reconsider(utc_now())
        return self.service.incident(incident_id)

    def silences(self, *, ended: bool) -> list[dict[str, Any]]:
        return self.service.acting.list_silences(utc_now(), include_ended=ended)

    def silence(
        self, matchers: Sequence[str], length: float, actor: str, comment: str | None
    ) -> dict[str, Any]:
        now = utc_now()
        created = self.service.acting.silence(matchers, now, duration_s=length, actor=actor, comment=comment)
        self._pipeline_wake.set()
        return serialize_silence(created, now)

    def silence_incident(
        self, incident_id: str, length: str, actor: str, comment: str | None
    ) -> dict[str, Any]:
        matchers = self.service.acting.build_incident_matchers(incident_id)
        return self.silence(matchers, parse_duration(length), actor, comment)

    def end_silence(self, silence_id: str, actor: str) -> dict[str, Any]:
        now = utc_now()
        ended = self.service.acting.end_silence(silence_id, now, actor)
        self._pipeline_wake.set()
        return serialize_silence(ended, now)

    def catalog(self) -> list[dict[str, Any]]:
        return [serialize_entry(entry) for entry in self.service.catalog.entries.values()]

    def run_probe(self, name: str) -> dict[str, Any]:
        reading: dict[str, Any] = self._run_check([name])["infrastructure"][name]
        return {"name": name, **reading}

    def _run_check(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        report = self.service.tick(utc_now(), names, triage=False)
        self._pipeline_wake.set()
        return report

    def health(self) -> dict[str, Any]:
        return self.service.health()

    def check(self) -> dict[str, Any]:
        return self._run_check()

    def snapshots(self, limit: int) -> list[dict[str, Any]]:
        return self.service.history.list_snapshots(limit)

    def snapshot(self, name: str) -> dict[str, Any]:
        return self.service.history.get_snapshot(name)

    def pin(self, name: str, actor: str, *, undo: bool) -> dict[str, Any]:
        if undo:
            self.service.history.unpin(utc_now(), actor)
            return self.service.history.get_snapshot(name)
        return self.service.history.pin(name, utc_now(), actor)

    def drill(self, route: str, actor: str) -> str:
        now = utc_now()
        event_id = self.service.drill(DRILL_CODE, route, now)
        self.service.acting.record_audit(now, actor, "sent a drill", about=f"route {route}")
        self._pipeline_wake.set()
        return event_id

    def get_drill_result(self, event_id: str) -> dict[str, Any]:
        return self.service.drilled(event_id)

    def remedies(self) -> list[dict[str, Any]]:
        return self.service.remedying.list_remedies()

    def plan_remedy(self, name: str) -> dict[str, Any]:
        return self.service.remedying.plan(name)

    def run_remedy(self, name: str, actor: str) -> dict[str, Any]:
        return self.service.remedying.run(name, utc_now(), actor)

    def test_rules(self) -> None:
        self.views.rule_test_job.start(utc_now())

    def diff(self, before: str, after: str) -> dict[str, Any]:
        return self.service.history.diff(before, after)

    def trend(self, metric: str, minutes: float) -> dict[str, Any]:
        return self.service.history.get_trend(metric, minutes, utc_now())

    def forecast(self, metric: str, limit: float | None, minutes: float) -> dict[str, Any]:
        return self.service.history.forecast(metric, limit, minutes, utc_now())

    def status(self) -> dict[str, Any]:
        return self.service.status(utc_now()) | {"intake": self.intake_metrics.to_dict()}

    def measures(self) -> Metrics:
        return self.service.measures()

    def ready(self) -> dict[str, str]:
        parts = self.service.ready()
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        return parts | {"loops": f"stopped: {', '.join(dead)}" if dead else "ok"}
