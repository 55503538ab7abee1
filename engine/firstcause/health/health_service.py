"""Health checks: probes are run, what they saw is reported, and snapshots are compared."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from firstcause.core.health.second_look import ProbePolicy, needs_second_look
from firstcause.errors import NotFoundError
from firstcause.health import environment, error_budgets, forecasts, probe_events, snapshot_check
from firstcause.health.baselines import Baselines
from firstcause.health.probe_runner import ProbeRunner
from firstcause.health.queries import HealthHistory
from firstcause.health.serializers import serialize_check, serialize_health, serialize_readings
from firstcause.intake.event_intake import generate_id
from firstcause.plugins.timeouts import call_with_timeout
from firstcause.store import alerts, snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from firstcause.config import Settings
    from firstcause.core.model import Event
    from firstcause.core.privacy.masking import Mask
    from firstcause.core.reading import Reading
    from firstcause.core.selfcheck.state import HangingProbe
    from firstcause.health.probe_runner import ProbeRun
    from firstcause.health.system_state import SystemState
    from firstcause.hookspecs.types import Probe
    from firstcause.intake.event_intake import EventIntake
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.health")

PROBE_PREFIX = "probe_"
"""The prefix of the thresholds that set `ProbePolicy`."""

_CLOSE_TIMEOUT_S = 5.0
"""Seconds that closing all probes may take before those that hang are left alone."""


class HealthService:
    """Runs probes and takes snapshots.

    list_probes: returns the probes of plugins.
    triage: triages what was reported, or has it triaged soon.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        rules: LiveRules,
        system_state: SystemState,
        intake: EventIntake,
        list_probes: Callable[[], Sequence[Probe]],
        get_mask: Callable[[], Mask],
        triage: Callable[[datetime], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._rules = rules
        self._system_state = system_state
        self._intake = intake
        self._list_probes = list_probes
        self._get_mask = get_mask
        self._triage = triage
        self._probe_runner = ProbeRunner()
        self._baselines = Baselines()
        # One snapshot at a time: each is compared with the one before it.
        self._snapshot_lock = threading.Lock()
        self._forecast_at: datetime | None = None
        self._seen_once: frozenset[str] = frozenset()

    @cached_property
    def probes(self) -> Mapping[str, Probe]:
        """All probes by name: those of error budgets, then those of plugins."""
        budget_probes = error_budgets.create_budget_probes(self._settings.health.budgets, self._database)
        return {probe.name: probe for probe in (*budget_probes, *self._list_probes())}

    @property
    def history(self) -> HealthHistory:
        """Snapshots, trends and forecasts."""
        return HealthHistory(self._database, self._rules, self._settings.topology.learned_ttl)

    def has_all_readings(self) -> bool:
        """Whether every probe has been read at least once."""
        return self._system_state.readings.keys() >= self.probes.keys()

    def check(self, now: datetime, names: Collection[str] | None = None) -> dict[str, Any]:
        """Run probes now, None for all of them, and report what they saw. Returns what `check` shows.

        A check of all probes also takes a snapshot. NotFoundError where a name is unknown.
        """
        probes = [self._get_probe(name) for name in (self.probes if names is None else names)]
        readings = self.report_readings(self._probe_runner.read(probes), now)
        self._triage(now)
        if names is None and readings:
            answer = self.take_snapshot(now)
            self._triage(now)
            return answer
        return serialize_readings(
            {name: (self.probes[name].component, reading) for name, reading in readings.items()}, now
        )

    def run_probe(self, name: str, now: datetime) -> dict[str, Any]:
        """Run one probe now. Returns its reading as `probe` shows it."""
        return {"name": name, **self.check(now, [name])["infrastructure"][name]}

    def begin_check(self, name: str, on_finished: Callable[[], None]) -> ProbeRun:
        """Start one probe without waiting for it. on_finished: called when the run is over."""
        return self._probe_runner.begin(self._get_probe(name), on_finished)

    @property
    def second_look_delay_s(self) -> float:
        """Seconds after which a probe looks again that failed once."""
        return self._rules.current.book.from_thresholds(ProbePolicy, PROBE_PREFIX).second_look

    def report_scheduled_readings(
        self, readings: Mapping[str, Reading], suspected: Collection[str], now: datetime
    ) -> Collection[str]:
        """Accept events as `report_readings` does, without failures that have to be seen twice.

        suspected: probes that ran because of errors that others reported, which count as the first look.
        Returns the names of the probes that have to look again.
        """
        candidates = readings.keys() - suspected - self._seen_once if self.second_look_delay_s > 0 else ()
        failures = self._select_hiccups({name: readings[name] for name in candidates})
        mask = self._get_mask()
        masked = {name: _mask_reading(reading, mask) for name, reading in failures.items()}
        for name, reading in masked.items():
            log.info("probe %s: seen once, looking again: %s", name, reading.detail)
        self.report_readings({name: readings[name] for name in readings.keys() - failures.keys()}, now)
        self._system_state.mark_seen_once(masked)
        self._seen_once |= failures.keys()
        return failures.keys()

    def _select_hiccups(self, readings: Mapping[str, Reading]) -> Mapping[str, Reading]:
        """Select the failures that may be a hiccup."""
        last_readings = {name: reading for name, (_, reading) in self._system_state.readings.items()}
        possible = {
            name: reading
            for name, reading in readings.items()
            if needs_second_look(reading, last_readings.get(name), has_alert=False)
        }
        if not possible:
            return {}
        with self._database.read() as conn:
            raised_by = {alert.probe for alert in alerts.load_active(conn)}
        return {name: reading for name, reading in possible.items() if name not in raised_by}

    def report_readings(self, readings: Mapping[str, Reading], now: datetime) -> Mapping[str, Reading]:
        """Accept events for what is wrong and for what is over by these readings. Returns them masked."""
        # Each of these counts, so the next failure is a first one again.
        self._seen_once -= readings.keys()
        mask = self._get_mask()
        masked = {name: _mask_reading(reading, mask) for name, reading in readings.items()}
        probes = {name: self.probes[name] for name in masked}
        self._system_state.update_readings(
            {name: (probes[name].component, reading) for name, reading in masked.items()}, now
        )
        with self._database.read() as conn:
            active = alerts.load_active(conn)
        if events := probe_events.build_probe_events(
            masked, probes, active, self._rules.catalog, now, generate_id
        ):
            self._intake.accept(events, now)
        return masked

    def take_snapshot(self, now: datetime) -> dict[str, Any]:
        """Store the state of the system by the last readings.

        Regressions and forecasts are reported as events. Returns what `check` shows.
        """
        with self._snapshot_lock:
            with self._rules.use() as rulebase:
                self._update_environment(rulebase.catalog.env_vars(), now)
                result = snapshot_check.SnapshotCheck(
                    self._database,
                    rulebase,
                    self._system_state,
                    self._baselines,
                    self._settings.health,
                    self._settings.topology,
                ).run(now)
            event = snapshot_check.build_regression_event(result.comparison, now, generate_id())
            self._report_events(snapshot_check.COMPARISON, [event] if event is not None else [], now)
            if self._forecast_at is None or abs(now - self._forecast_at) >= forecasts.FORECAST_INTERVAL:
                self._forecast_at = now
                with self._rules.use() as rulebase:
                    predictions = forecasts.Forecaster(self._database, rulebase).run(now, generate_id)
                self._report_events(forecasts.FORECAST, predictions, now)
        return serialize_check(result.snapshot, result.snapshot_id, result.comparison)

    def list_hanging(self, now: datetime) -> list[HangingProbe]:
        """List the probes whose check hangs."""
        return self._probe_runner.list_hanging(now)

    def get_health(self) -> dict[str, Any]:
        """The last full check, without running one."""
        with self._database.read() as conn:
            return serialize_health(snapshots.load_last(conn))

    def close(self) -> None:
        """Close the probes that were created."""
        deadline = time.monotonic() + _CLOSE_TIMEOUT_S
        for probe in self.__dict__.get("probes", {}).values():
            if probe.close is not None:
                # A stranger's code may raise anything or hang, and the other probes are to be closed as well.
                with suppress(Exception):
                    call_with_timeout(
                        probe.close, max(deadline - time.monotonic(), 0.1), f"probe {probe.name}"
                    )

    @cached_property
    def _checksum_key(self) -> bytes | None:
        return environment.load_checksum_key(self._settings.store_folder)

    def _update_environment(self, names: Collection[str], now: datetime) -> None:
        env_file = environment.locate_env_file(self._settings)
        self._system_state.update_environment(environment.read_presence(names, env_file), now)
        if env_file is not None and self._checksum_key is not None:
            self._system_state.checksums = environment.compute_checksums(names, env_file, self._checksum_key)

    def _report_events(self, reporter: str, raised: Sequence[Event], now: datetime) -> None:
        """Accept the events of a reporter that is not a probe, and resolve what it no longer reports."""
        with self._database.read() as conn:
            active = alerts.load_active(conn)
        if events := probe_events.build_report_events(reporter, raised, active, now, generate_id):
            self._intake.accept(events, now)

    def _get_probe(self, name: str) -> Probe:
        if name not in self.probes:
            available = ", ".join(self.probes) or "none; docs/probes.md shows how to add one"
            msg = f"no probe {name!r}; there are: {available}"
            raise NotFoundError(msg)
        return self.probes[name]


def _mask_reading(reading: Reading, mask: Mask) -> Reading:
    return reading.model_copy(
        update={
            "detail": mask.mask_text(reading.detail),
            "data": mask.mask_data(reading.data),
            "problems": tuple(
                problem.model_copy(update={"detail": mask.mask_text(problem.detail)})
                for problem in reading.problems
            ),
        }
    )
