"""Triage as the application runs it: one at a time, in batches that shrink around an event that fails."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.state import SetAside
from firstcause.errors import FirstcauseError, StoreError
from firstcause.health import environment
from firstcause.pipeline.processor import BatchResult, EventProcessor
from firstcause.pipeline.waiting_scopes import WaitingScopes
from firstcause.store import cause_overrides, silences
from firstcause.store.inbox import AlreadyClaimedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.privacy.masking import Mask
    from firstcause.health.system_state import SystemState
    from firstcause.notify.queue import NotificationQueue
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database

BATCH_LIMITS = (10_000, 1_000, 100, 10, 1)
"""The largest number of events in a batch. The next limit applies where a batch fails.

So one event that cannot be triaged costs the others no more than a few more batches.
"""

log = logging.getLogger("firstcause.service")


class EventPipeline:
    """Turns stored events into incidents, and evaluates rules again.

    get_wake: returns what wakes the loop that triages in this process, None where no such loop runs.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        rules: LiveRules,
        plugins: PluginManager,
        system_state: SystemState,
        notification_queue: NotificationQueue,
        get_mask: Callable[[], Mask],
        get_wake: Callable[[], Callable[[], None] | None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._rules = rules
        self._plugins = plugins
        self._system_state = system_state
        self._notification_queue = notification_queue
        self._get_mask = get_mask
        self._get_wake = get_wake
        # Only triage takes this lock, so that batches come one after the other. No question waits for it.
        self._lock = threading.Lock()
        self._reevaluation_requested = threading.Event()
        self.waiting_scopes = WaitingScopes()
        """The scopes that wait for their evaluation."""
        self._override_version: tuple[object, ...] = ()
        self.processed_count = 0
        """How many events were triaged since the start."""
        self.set_aside: SetAside | None = None
        """The events that were set aside since the start."""

    def triage(self, now: datetime, max_events: int = BATCH_LIMITS[0]) -> BatchResult:
        """Triage the oldest waiting events in one batch. An event that cannot be triaged is set aside."""
        limits = (max_events, *(limit for limit in BATCH_LIMITS if limit < max_events))
        with self._lock, self._rules.use() as rulebase:
            processor = self._create_processor(rulebase, now)
            result = self._triage_batch(processor, now, limits)
            if not result.events and self.waiting_scopes.tenants:
                with self.waiting_scopes.kept_on_failure():
                    result = processor.evaluate_waiting(now)
            self.processed_count += result.events
            if result.problems:
                self._record_set_aside(result.problems, now)
            return result

    def _record_set_aside(self, problems: Sequence[str], now: datetime) -> None:
        earlier = self.set_aside
        count, since = (earlier.count, earlier.since) if earlier is not None else (0, now)
        self.set_aside = SetAside(count + len(problems), since, now, problems[-1])

    def _triage_batch(self, processor: EventProcessor, now: datetime, limits: Sequence[int]) -> BatchResult:
        problem = ""
        for limit in limits:
            try:
                return self._run_batch(processor, now, limit)
            except FirstcauseError:
                raise
            except Exception as error:
                log.exception("a batch of up to %d events could not be triaged", limit)
                problem = f"{type(error).__name__}: {error}"
        log.error("an event could not be triaged and is set aside: %s", problem)
        return processor.set_aside(problem, now)

    def _run_batch(self, processor: EventProcessor, now: datetime, limit: int) -> BatchResult:
        while True:
            # Another process triaged the batch meanwhile; the next batch is another one.
            with suppress(AlreadyClaimedError), self.waiting_scopes.kept_on_failure():
                return processor.run(now, limit)

    def triage_all(self, now: datetime) -> None:
        """Triage everything that waits."""
        while self.triage(now).did_work:
            pass

    def triage_soon(self, now: datetime) -> None:
        """Have what waits triaged: by this process's triage loop, or here where no such loop runs."""
        wake = self._get_wake()
        if wake is not None:
            wake()
        else:
            self.triage_all(now)

    def reevaluate(self, now: datetime) -> None:
        """Evaluate the rules again for all active alerts, without a new event."""
        with self._lock, self._rules.use() as rulebase, self.waiting_scopes.kept_on_failure():
            self._create_processor(rulebase, now).reconsider(now)
        wake = self._get_wake()
        while self.waiting_scopes.tenants and wake is None:
            self._evaluate_waiting(now)
        if self.waiting_scopes.tenants and wake is not None:
            wake()

    def _evaluate_waiting(self, now: datetime) -> None:
        with self._lock, self._rules.use() as rulebase, self.waiting_scopes.kept_on_failure():
            self._create_processor(rulebase, now).evaluate_waiting(now)

    def apply_override(self, now: datetime) -> None:
        """Evaluate the rules again after a person's decision, before this returns.

        Where the daemon is another process, that process notices the decision and evaluates the rules.
        """
        if self._get_wake() is not None:
            self.reevaluate(now)
            return
        with suppress(StoreError), self._database.hold_daemon_lock():
            self.reevaluate(now)

    def apply_override_soon(self, now: datetime) -> None:
        """Like `apply_override`, but leaves the work to this process's triage loop where one runs."""
        wake = self._get_wake()
        if wake is None:
            self.apply_override(now)
            return
        self.request_reevaluation()
        wake()

    def request_reevaluation(self) -> None:
        """Have `reevaluate_if_needed` evaluate the rules again."""
        self._reevaluation_requested.set()

    def reevaluate_if_needed(self, now: datetime) -> None:
        """Evaluate the rules again where that was requested, or where silences or manual causes changed.

        These change without a request as well: a silence expires, and other processes write to the store.
        """
        override_version = self._read_override_version(now)
        if self._reevaluation_requested.is_set() or override_version != self._override_version:
            # Cleared first, so that a request that comes meanwhile counts. A failure sets the request again.
            self._reevaluation_requested.clear()
            try:
                self.reevaluate(now)
            except BaseException:
                self._reevaluation_requested.set()
                raise
            self._override_version = override_version

    def _read_override_version(self, now: datetime) -> tuple[object, ...]:
        """A value that changes with the silences in force and the causes that people set."""
        with self._database.read() as conn:
            silence_ids = [silence.silence_id for silence in silences.load_active(conn, now)]
            return (*silence_ids, *cause_overrides.load_active(conn))

    def _create_processor(self, rulebase: Rulebase, now: datetime) -> EventProcessor:
        settings = self._settings
        presence = environment.read_presence(
            rulebase.catalog.env_vars(), environment.locate_env_file(settings)
        )
        self._system_state.update_environment(presence, now)
        return EventProcessor(
            self._database,
            rulebase,
            self._plugins,
            self._system_state,
            self._notification_queue,
            settings.intake,
            settings.topology,
            self._get_mask(),
            self.waiting_scopes,
            settings.health.release_attributes,
        )
