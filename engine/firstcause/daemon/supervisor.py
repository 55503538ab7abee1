"""The daemon: the loops that triage, deliver, check health, reload rules and prune, side by side."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import watchfiles

from firstcause.core.selfcheck.state import Failure
from firstcause.daemon.first_look import FirstLook
from firstcause.daemon.probe_loop import ProbeLoop
from firstcause.daemon.reload_requests import ReloadRequests
from firstcause.daemon.store_claim import StoreClaim
from firstcause.errors import ConfigError, FirstcauseError, RuleFileError
from firstcause.incidents.serializers import format_over_limit
from firstcause.intake.listeners import ListenerSupervisor
from firstcause.notify.dispatcher import DeliveryDispatcher
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.app.application import Application

log = logging.getLogger("firstcause")

POLL_INTERVAL_S = 0.5
"""Seconds between looks at the store: another process may have put events there."""

REST_FACTOR = 3.0
"""How many times as long as for a batch triage rests where more events came meanwhile than it took."""

MAX_REST_S = 2.0
"""Seconds of one rest at most."""

SWEEP_INTERVAL_S = 60.0

SELF_CHECK_INTERVAL_S = 5.0
"""Seconds between two checks of firstcause itself."""

MAX_STEP_S = 300.0
"""Seconds that one step of a loop may take, without its waits, before the loop counts as hanging."""

MAX_LONG_STEP_S = 3600.0
"""The same for steps that may take long for good reasons: deleting many events, sending many messages."""

FIRST_READINGS_POLL_S = 0.1
"""Seconds between looks whether every probe has been read, before the first snapshot."""

OVER_LIMIT_WARNING_INTERVAL_S = 3600.0
"""Seconds between warnings that the store stays above its limit."""

_RELOAD_DEBOUNCE_MS = 400
"""Milliseconds within which several changes of files are one reload."""

_LOOPS_WITHOUT_CLAIM = frozenset({"store-lock", "rules", "self-check"})
"""Loops that also run while another daemon has the store: the one that takes it back, and those that tell."""

_MAX_BACKOFF_S = 5.0
_STOP_TIMEOUT_S = 20.0
_LISTENER_STOP_TIMEOUT_S = 5.0

_DELIVERY_STOP_TIMEOUT_S = 3.0
"""Seconds that running deliveries get when the daemon stops."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Daemon:
    """Runs the loops over one application, from `start` to `stop`."""

    def __init__(self, application: Application, reload_requests: ReloadRequests | None = None) -> None:
        self.application = application
        self._reload_requests = reload_requests or ReloadRequests()
        self._stopping = threading.Event()
        self._pipeline_wake = threading.Event()
        self._delivery_wake = threading.Event()
        self._dispatcher = DeliveryDispatcher(self._delivery_wake.set)
        self._threads: list[threading.Thread] = []
        self._over_limit_warned_at: float | None = None
        self._store_claim = StoreClaim(application)
        self._probe_loop: ProbeLoop | None = None
        self._listener_threads: ListenerSupervisor | None = None
        self._first_look: FirstLook | None = None

    def start(self) -> None:
        """Prepare the store, load everything that can be wrong, then begin. Raises before anything runs."""
        app = self.application
        app.database.prepare()
        self._store_claim.take(self._stopping)
        app.load()
        app.notifications.release_claims()
        app.wake = self._pipeline_wake.set
        app.intake.start_writer(utc_now, self._pipeline_wake.set)
        self._listener_threads = self._create_listeners()
        self._listener_threads.start()
        self._probe_loop = ProbeLoop(app.health, self._pipeline_wake.set, self._stopping)
        self._first_look = FirstLook(
            app.daemon_runs.begin_run(utc_now()),
            app.daemon_runs.policy,
            self._probe_loop.have_all_reported,
        )
        steps = {
            "deliver": self._deliver_messages,
            "probes": self._probe_loop.step,
            "snapshots": self._take_snapshot,
            "sweep": self._sweep_alerts,
            "rules": self._watch_rules,
            "reload": self._reload_if_requested,
            "prune": self._prune_store,
            "self-check": self._check_itself,
            "store-lock": lambda: self._store_claim.watch(self._stopping),
        }
        self._threads = [threading.Thread(target=self._run_triage, name="triage", daemon=True)]
        self._threads += [
            threading.Thread(target=self._run_loop, args=(name, step), name=name, daemon=True)
            for name, step in steps.items()
        ]
        app.self_check.list_listeners = self._listener_threads.list_states
        longer_s = {
            "snapshots": app.settings.health.interval,
            "prune": MAX_LONG_STEP_S,
        }
        for thread in self._threads:
            app.self_check.loops.register(thread.name, MAX_STEP_S + longer_s.get(thread.name, 0.0), thread)
            thread.start()

    def stop(self) -> None:
        """Store and triage what was accepted, let running deliveries end, then stop."""
        if self._listener_threads is not None:
            self._listener_threads.stop(_LISTENER_STOP_TIMEOUT_S)
        self.application.intake.close_writer()
        self._stopping.set()
        self._pipeline_wake.set()
        self._delivery_wake.set()
        if self._probe_loop is not None:
            self._probe_loop.wake()
        for thread in self._threads:
            thread.join(timeout=_STOP_TIMEOUT_S)
        self._dispatcher.join(_DELIVERY_STOP_TIMEOUT_S)
        with contextlib.suppress(FirstcauseError):
            self.application.daemon_runs.record_alive(utc_now())
        self.application.wake = None
        self._store_claim.release()

    def _create_listeners(self) -> ListenerSupervisor:
        app = self.application
        return ListenerSupervisor(
            app.plugins.listeners(),
            app.intake,
            utc_now,
            app.settings.intake.max_event_bytes,
        )

    def _reload_if_requested(self) -> None:
        # A loop and not a thread for each request: `stop` waits for it. A process that ends while a thread is
        # inside the inference library aborts.
        if self._reload_requests.wait(POLL_INTERVAL_S):
            self.reload()

    def reload(self) -> None:
        """Take the rule files as they are now. A broken set changes nothing and is logged."""
        rules = self.application.rules
        try:
            rules.reload(utc_now())
        except (RuleFileError, ConfigError) as error:
            log.error("rules not reloaded, the old ones stay live:\n%s", error)  # noqa: TRY400 - users read it
        else:
            log.info("rules reloaded: %d rules", len(rules.current.book.rules))
            self.application.pipeline.request_reevaluation()
            self._pipeline_wake.set()

    def _run_loop(self, name: str, step: Callable[[], None]) -> None:
        """Repeat a step until the daemon stops. A step waits by itself; after an error the loop waits."""
        wait_s = POLL_INTERVAL_S
        loops = self.application.self_check.loops
        while not self._stopping.is_set():
            loops.beat(name)
            try:
                if name in _LOOPS_WITHOUT_CLAIM:
                    step()
                else:
                    self._store_claim.require()
                    with self.application.database.fence_writes():
                        step()
                wait_s = POLL_INTERVAL_S
                loops.record_success(name)
            except FirstcauseError as error:
                log.error("%s: %s", name, error)  # noqa: TRY400 - one line, no traceback
                loops.record_failure(name, str(error), utc_now())
                wait_s = min(wait_s * 2, _MAX_BACKOFF_S)
                self._stopping.wait(wait_s)
            except Exception as error:
                log.exception("%s failed; it is retried", name)
                loops.record_failure(name, describe_error(error), utc_now())
                self._stopping.wait(POLL_INTERVAL_S)

    def _run_triage(self) -> None:
        self._run_loop("triage", self._process_events)
        # What was accepted before the stop is triaged as well.
        with contextlib.suppress(FirstcauseError):
            self._store_claim.require()
            with self.application.database.fence_writes():
                self.application.pipeline.triage_all(utc_now())

    def _process_events(self) -> None:
        intake, pipeline = self.application.intake, self.application.pipeline
        self._pipeline_wake.wait(POLL_INTERVAL_S)
        self._pipeline_wake.clear()
        # Also where nothing waits: nothing comes in as long as the backlog counts as full.
        intake.backlog_limit.refresh()
        pipeline.reevaluate_if_needed(utc_now())
        can_end_look = self._first_look is not None and self._first_look.can_end()
        started, stored = time.monotonic(), intake.stored_count
        while (batch := pipeline.triage(utc_now())).did_work:
            intake.backlog_limit.refresh()
            self.application.self_check.loops.beat("triage")
            self._store_claim.require()
            if batch.suspect_probes and self._probe_loop is not None:
                self._probe_loop.suspect(batch.suspect_probes)
            if intake.stored_count - stored > batch.events:
                # Events come faster than they are triaged: leave the processor to the senders.
                self._stopping.wait(min(REST_FACTOR * (time.monotonic() - started), MAX_REST_S))
            started, stored = time.monotonic(), intake.stored_count
        if can_end_look:
            self._end_first_look()

    def _end_first_look(self) -> None:
        look = self._first_look
        if look is not None and look.downtime is not None:
            if look.needs_report:
                self.application.notifications.report_restart(look.downtime, utc_now())
            look.end()

    @property
    def _is_looking(self) -> bool:
        return self._first_look is not None and not self._first_look.is_over

    def _deliver_messages(self) -> None:
        self._delivery_wake.clear()
        if self._is_looking or not self.application.notifications.dispatch(self._dispatcher, utc_now):
            self._delivery_wake.wait(POLL_INTERVAL_S / 2)

    def _take_snapshot(self) -> None:
        health = self.application.health
        if not health.has_all_readings():
            self._stopping.wait(FIRST_READINGS_POLL_S)
            return
        started = time.monotonic()
        health.take_snapshot(utc_now())
        self._pipeline_wake.set()
        elapsed = time.monotonic() - started
        self._stopping.wait(max(0.0, self.application.settings.health.interval - elapsed))

    def _sweep_alerts(self) -> None:
        if self._is_looking:
            self._stopping.wait(POLL_INTERVAL_S)
            return
        self.application.daemon_runs.record_alive(utc_now())
        self.application.maintenance.sweep(utc_now())
        self._stopping.wait(SWEEP_INTERVAL_S)

    def _prune_store(self) -> None:
        pruned = self.application.maintenance.prune(utc_now())
        if pruned["events"] or pruned["incidents"]:
            log.info("forgot %(events)d events and %(incidents)d incidents that need not be kept", pruned)
        self._warn_over_limit(pruned["over_max_bytes"])
        self._stopping.wait(SWEEP_INTERVAL_S)

    def _warn_over_limit(self, excess_bytes: int) -> None:
        """Warn of a store that stays above its limit, and say when it is within it again."""
        warned_at, self._over_limit_warned_at = self._over_limit_warned_at, None
        self._record_excess(excess_bytes)
        if not excess_bytes:
            if warned_at is not None:
                log.info("the store is within [store] max_bytes again")
            return
        now = time.monotonic()
        if warned_at is None or now - warned_at >= OVER_LIMIT_WARNING_INTERVAL_S:
            log.warning(format_over_limit(excess_bytes, self.application.settings.store.max_bytes))
            warned_at = now
        self._over_limit_warned_at = warned_at

    def _record_excess(self, excess_bytes: int) -> None:
        check, limit = self.application.self_check, self.application.settings.store.max_bytes
        earlier = check.store_excess
        since = earlier.since if earlier is not None else utc_now()
        check.store_excess = Failure(since, format_over_limit(excess_bytes, limit)) if excess_bytes else None

    def _check_itself(self) -> None:
        """Look at firstcause itself, and notify people of what is wrong with it."""
        app = self.application
        app.self_reporter.run(utc_now())
        if app.watchdog is not None:
            app.watchdog.run(utc_now())
        self._stopping.wait(SELF_CHECK_INTERVAL_S)

    def _watch_rules(self) -> None:
        """Reload whenever a rule file is saved; until stopped, or until a folder is gone."""
        folders = [folder for folder in self.application.rules.folders if folder.exists()]
        changes = watchfiles.watch(
            *folders,
            watch_filter=lambda _change, path: path.endswith((".yaml", ".yml")),
            debounce=_RELOAD_DEBOUNCE_MS,
            stop_event=self._stopping,
            raise_interrupt=False,
            yield_on_timeout=True,
        )
        for change in changes:
            # Nothing changed within watchfiles' timeout of 5 s: the loop is alive.
            self.application.self_check.loops.record_success("rules")
            if change:
                self.reload()
