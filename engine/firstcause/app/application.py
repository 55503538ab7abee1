"""The two flows, as straight lines, over one database; what CLI, web and daemon call."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from firstcause.app.maintenance import prune_store
from firstcause.app.metrics import Metrics, collect_metrics
from firstcause.core.health.snapshot import Snapshot, to_observation
from firstcause.core.incidents.debug_report import as_markdown, as_text, build_debug_report
from firstcause.core.incidents.suggestions import FixWeights
from firstcause.core.model import IncidentStatus
from firstcause.core.privacy.masking import Mask
from firstcause.core.root_cause.suspects import rank_suspects
from firstcause.core.text.timestamps import format_time
from firstcause.errors import ConfigError, FirstcauseError, NotFoundError, RuleFileError, StoreError
from firstcause.health import environment, error_budgets, forecasts, probe_events, snapshot_check
from firstcause.health import serializers as health_serializers
from firstcause.health.baselines import Baselines
from firstcause.health.change_finder import ChangeFinder
from firstcause.health.probe_runner import ProbeRunner
from firstcause.health.queries import HealthHistory
from firstcause.health.system_state import SystemState
from firstcause.incidents import serializers as incident_serializers
from firstcause.incidents.actions import IncidentActions
from firstcause.incidents.explain import Explainer
from firstcause.incidents.lifecycle import close_incident
from firstcause.incidents.remedies import RemedyRunner
from firstcause.incidents.suggestions import FIX_PREFIX, FixSuggestions
from firstcause.intake import fast_path
from firstcause.notify import drills
from firstcause.notify.composer import MessageComposer
from firstcause.notify.delivery import Delivery
from firstcause.notify.queue import NotificationQueue
from firstcause.notify.reminders import ReminderScheduler
from firstcause.pipeline.processor import BatchResult, EventProcessor
from firstcause.plugins.manager import PluginManager
from firstcause.rulebase.rulebase import RejectedReload, Rulebase, load_rulebase, resolve_rule_folders
from firstcause.store import (
    alerts,
    cardinality,
    cause_overrides,
    dependencies,
    disk_usage,
    event_counts,
    inbox,
    incidents,
    outbox,
    silences,
    snapshots,
)
from firstcause.store.database import Database
from firstcause.store.inbox import AlreadyClaimedError, EventPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import sqlalchemy as sa

    from firstcause.config import Settings
    from firstcause.core.catalog import Catalog, Entry
    from firstcause.core.incidents.debug_report import DebugReport
    from firstcause.core.model import Event, Incident, Reading
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.health.probe_runner import ProbeRun
    from firstcause.hookspecs.types import Notifier, Probe, Remedy

MAX_BATCH_EVENTS = 10_000
"""Events that are triaged together where so many wait."""

BATCH_REDUCTION_FACTOR = 10
"""By so much smaller is the next batch where one holds an event that cannot be triaged."""

REMINDER_INTERVAL = timedelta(seconds=5)
"""How often it is looked whether somebody is to be reminded."""

log = logging.getLogger("firstcause.service")


def generate_id() -> str:
    return uuid.uuid4().hex


class Service:
    """firstcause over one store. Parts are made when first needed, so that a small question stays quick."""

    def __init__(
        self, settings: Settings, host: PluginManager | None = None, knowledge: Rulebase | None = None
    ) -> None:
        self.settings = settings
        self.database = Database(settings.store_url)
        self.world = SystemState()
        self._baselines = Baselines()
        self._plugin_manager = host
        self._rulebase = knowledge
        self._lock = threading.RLock()
        self._probe_runner = ProbeRunner()
        self.refused: RejectedReload | None = None
        self.rules_since: datetime | None = None
        self._cached_mask: tuple[Rulebase, tuple[int, ...] | None, Mask] | None = None
        self._reminded_at: datetime | None = None
        self._forecast_at: datetime | None = None
        self.triaged = 0

    @cached_property
    def host(self) -> PluginManager:
        return self._plugin_manager or PluginManager.load(self.settings.plugins)

    @cached_property
    def probes(self) -> Mapping[str, Probe]:
        own = error_budgets.create_budget_probes(self.settings.health.budgets, self.database)
        return {probe.name: probe for probe in (*own, *self.host.probes())}

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:
        return {notifier.name: notifier for notifier in self.host.notifiers()}

    @cached_property
    def remedies(self) -> Mapping[str, Remedy]:
        return {remedy.name: remedy for remedy in self.host.remedies()}

    @property
    def knowledge(self) -> Rulebase:
        # Whoever only looks something up must not wait for a triage, which holds the lock.
        if (rulebase := self._rulebase) is not None:
            return rulebase
        with self._lock:
            if self._rulebase is None:
                self._rulebase = self.learn()
            return self._rulebase

    @property
    def catalog(self) -> Catalog:
        return self.knowledge.catalog

    def reload(self, now: datetime) -> None:
        """Take the rule files as they are now. RuleFileError where any is wrong; the old ones then stay."""
        try:
            new_rulebase = self.learn()
        except (RuleFileError, ConfigError) as error:
            self.refused = RejectedReload(now, error)
            raise
        # Whoever evaluates holds the lock, so nobody is amid the old set when it is closed.
        with self._lock:
            old_rulebase, self._rulebase = self._rulebase, new_rulebase
            self.refused = None
            self.rules_since = now
            if old_rulebase is not None:
                old_rulebase.close()

    @property
    def rule_folders(self) -> list[Path]:
        return resolve_rule_folders(self.settings, self.host.rule_folders())

    def learn(self) -> Rulebase:
        """The rules of the files as they are now, whichever are live; whoever asks closes them."""
        settings = self.settings
        return load_rulebase(
            self.rule_folders, settings.rules.thresholds, depends_on=settings.topology.depends_on
        )

    @property
    def env_file(self) -> Path | None:
        configured = self.settings.health.env_file
        return None if configured is None else self.settings.folder / configured

    @cached_property
    def _checksum_key(self) -> bytes | None:
        return environment.load_checksum_key(self.settings.store_folder)

    @property
    def mask(self) -> Mask:
        """Made anew when what holds secrets changes: one that was rotated is masked from then on."""
        rulebase, stamp = self.knowledge, environment.read_file_stamp(self.env_file)
        cached = self._cached_mask
        if cached is None or cached[0] is not rulebase or cached[1] != stamp:
            values = environment.read_secret_values(rulebase.catalog.env_vars(), self.env_file)
            tokens = (entry.token.get_secret_value() for entry in self.settings.intake.tokens.values())
            cached = self._cached_mask = (rulebase, stamp, Mask([*values, *tokens, *self.host.secrets()]))
        return cached[2]

    # One event

    def packed(self, events: Sequence[Event]) -> list[EventPayload]:
        """The events without secrets, as they are stored."""
        mask = self.mask
        return inbox.pack_events([mask.mask_event(event) for event in events])

    def as_sent(self, body: bytes) -> EventPayload | None:
        """A request that can be stored as it came; None where it has to be read and masked."""
        if not self.mask.surely_clean(body):
            return None
        events = fast_path.count_events(body, inbox.MAX_PAYLOAD_EVENTS)
        return EventPayload(body, events, verbatim=True) if events is not None else None

    def accept(self, events: Sequence[Event], now: datetime) -> None:
        """Store events; when this returns they are on disk."""
        self.database.inbox.store(self.packed(events), now)

    def triage(self, now: datetime, limit: int = MAX_BATCH_EVENTS) -> BatchResult:
        """Triage the oldest waiting events. One that cannot be triaged is set aside, and the rest go on."""
        with self._lock:
            processor = self._create_processor(now)
            try:
                result = processor.run(now, limit)
            except AlreadyClaimedError:
                return self.triage(now, limit)
            except FirstcauseError:
                raise
            except Exception as error:
                if limit > 1:
                    log.exception(
                        "a batch of up to %d events could not be triaged; a smaller one goes", limit
                    )
                    return self.triage(now, max(1, limit // BATCH_REDUCTION_FACTOR))
                log.exception("an event could not be triaged and is set aside")
                result = processor.set_aside(f"{type(error).__name__}: {error}", now)
            self.triaged += result.events
            return result

    def _create_processor(self, now: datetime) -> EventProcessor:
        """Only under the lock: a reload would close the rules."""
        self.world.update_environment(environment.read_presence(self.catalog.env_vars(), self.env_file), now)
        return EventProcessor(
            self.database,
            self.knowledge,
            self.host,
            self.world,
            self._notification_queue,
            self.settings.intake,
            self.settings.topology,
            self.mask,
            self.settings.health.release_attributes,
        )

    def reconsider(self, now: datetime) -> None:
        """Let the rules look again at what is active, without an event."""
        with self._lock:
            self._create_processor(now).reconsider(now)

    def triage_all(self, now: datetime) -> None:
        while self.triage(now).events:
            pass

    @property
    def _notification_queue(self) -> NotificationQueue:
        notify = self.settings.notify
        return NotificationQueue(notify.by_name, self.notifiers, notify.group_wait)

    def deliver(self, now: datetime) -> int:
        """Say what is due; returns how many messages were tried."""
        notify = self.settings.notify
        if self._reminded_at is None or abs(now - self._reminded_at) >= REMINDER_INTERVAL:
            ReminderScheduler(self.database, notify).run(now)
            self._reminded_at = now
        composer = MessageComposer(
            self.catalog, self._change_finder, self._fix_suggestions, self.mask, notify.link
        )
        return Delivery(self.database, self.notifiers, composer, self._notification_queue, notify).run(now)

    def drill(self, code: str, route: str | None, now: datetime) -> str:
        """Report a drill, to one route or to those that fit; returns the id of its event."""
        routes = self.settings.notify.by_name
        event = drills.build_drill_event(code, route, self.catalog, routes, now, generate_id())
        self.accept([event], now)
        return event.id

    def drilled(self, event_id: str) -> dict[str, Any]:
        """What came of a drill so far."""
        return drills.get_drill_outcome(self.database, event_id)

    def release_claims(self) -> None:
        with self.database.write() as conn:
            outbox.release_all(conn)

    # One health tick

    def tick(
        self, now: datetime, names: Collection[str] | None = None, *, triage: bool = True
    ) -> dict[str, Any]:
        """Run probes (None: all) and report what they saw. Returns what `check` shows.

        triage: whatever waits, here and now. Where another thread does that, nobody is to wait for it.
        """
        probes = [self._get_probe(name) for name in (self.probes if names is None else names)]
        readings = self.probed(self._probe_runner.read(probes), now)
        if triage:
            self.triage_all(now)
        if names is None and readings:
            answer = self.snapshot(now)
            if triage:
                self.triage_all(now)
            return answer
        observations = {
            name: to_observation(self.probes[name].component, reading) for name, reading in readings.items()
        }
        return health_serializers.serialize_check(Snapshot(taken_at=now, infrastructure=observations))

    def begin_check(self, name: str, finished: Callable[[], None]) -> ProbeRun:
        """Start one probe's check, without waiting for it. finished: called once it is over."""
        return self._probe_runner.begin(self._get_probe(name), finished)

    def probed(self, found: Mapping[str, Reading], now: datetime) -> Mapping[str, Reading]:
        """Take what probes saw: report what is wrong and what is over. Returns it, masked."""
        mask = self.mask
        readings = {name: self._mask_reading(reading, mask) for name, reading in found.items()}
        probes = {name: self.probes[name] for name in readings}
        self.world.update_readings(
            {name: (probes[name].component, reading) for name, reading in readings.items()}, now
        )
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        if events := probe_events.build_probe_events(
            readings, probes, active, self.catalog, now, generate_id
        ):
            self.accept(events, now)
        return readings

    def snapshot(self, now: datetime) -> dict[str, Any]:
        """Keep how everything is by the last readings; a regression is an error like any other."""
        with self._lock:
            names = self.catalog.env_vars()
            self.world.update_environment(environment.read_presence(names, self.env_file), now)
            if self.env_file is not None and self._checksum_key is not None:
                self.world.checksums = environment.compute_checksums(names, self.env_file, self._checksum_key)
            settings = self.settings
            state = (self.database, self.knowledge, self.world, self._baselines)
            parts = (*state, settings.health, settings.topology)
            result = snapshot_check.SnapshotCheck(*parts).run(now)
        event = snapshot_check.build_regression_event(result.comparison, now, generate_id())
        self._report_events(snapshot_check.COMPARISON, [event] if event is not None else [], now)
        if self._forecast_at is None or abs(now - self._forecast_at) >= forecasts.FORECAST_INTERVAL:
            self._forecast_at = now
            with self._lock:
                predictions = forecasts.Forecaster(self.database, self.knowledge).run(now, generate_id)
            self._report_events(forecasts.FORECAST, predictions, now)
        return health_serializers.serialize_check(result.snapshot, result.snapshot_id, result.comparison)

    def _mask_reading(self, reading: Reading, mask: Mask) -> Reading:
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

    def _get_probe(self, name: str) -> Probe:
        if name not in self.probes:
            available = ", ".join(self.probes) or "none; configure one, as README.md shows"
            msg = f"no probe {name!r}; there are: {available}"
            raise NotFoundError(msg)
        return self.probes[name]

    def sweep(self, now: datetime) -> None:
        """End alerts that have gone quiet, and let rules see how old the others are by now."""
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        with self.database.write(exclusive=False) as conn:
            health = self.settings.health
            snapshots.roll_up(conn, now, health.full_resolution, health.retention)
            event_counts.roll_up(conn, now, health.full_resolution, health.retention)
            dependencies.prune(conn, now - timedelta(seconds=self.settings.topology.learned_ttl))
            cardinality.prune_registry(conn, self.settings.intake.max_tracked_codes)
        ended = probe_events.build_quiet_resolutions(
            active, self.settings.intake.resolve_after, now, generate_id
        )
        if ended:
            self.accept(ended, now)
        self.reconsider(now)

    def prune(self, now: datetime, older: float | None = None, *, dry_run: bool = False) -> dict[str, int]:
        """See `pruned`."""
        return prune_store(self.database, self.settings.store, now, older, dry_run=dry_run)

    # Answers

    def incidents(self, status: str | None = None, limit: int | None = 50) -> list[dict[str, Any]]:
        with self.database.read() as conn:
            selected = incidents.list_incidents(conn, status, limit)
            members = alerts.load_by_incident(
                conn, [incident.stored_id for incident in selected if incident.stored_id]
            )
            all_suggestions = self._fix_suggestions.suggest_all(conn, selected)
            return [
                incident_serializers.serialize_incident(
                    incident,
                    members[incident_id],
                    incidents.load_notifications(conn, incident_id),
                    (),
                    suggestions=suggestions,
                )
                for incident, suggestions in zip(selected, all_suggestions, strict=True)
                if (incident_id := incident.stored_id) is not None
            ]

    def incident(self, number: str) -> dict[str, Any]:
        with self.database.read() as conn:
            incident = incidents.get(conn, number)
            row_id = incident.row_id
            return incident_serializers.serialize_incident(
                incident,
                alerts.load_by_incident(conn, [row_id])[row_id],
                incidents.load_notifications(conn, row_id),
                incidents.load_timeline(conn, row_id),
                self._get_entry(incident.root.code),
                self._fix_suggestions.suggest(conn, incident),
            )

    def _get_entry(self, code: str) -> Entry | None:
        """None also where the rule files are broken just now: what is stored can be shown without them."""
        with suppress(FirstcauseError):
            return self.catalog.get(code)
        return None

    def suspects(self, now: datetime) -> list[Suspect]:
        """All components that may be the root of what is active, likeliest first."""
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        facts = self.world.build_facts(now)
        return rank_suspects(active, self.knowledge.diagnosis_inputs(facts), facts)

    def fingerprints(self, number: str) -> list[str]:
        """Of the incident's active alerts."""
        with self.database.read() as conn:
            row_id = incidents.get(conn, number).row_id
            members = alerts.load_by_incident(conn, [row_id])[row_id]
            return [alert.fingerprint for alert in members if alert.active]

    def incident_of(self, event_id: str) -> dict[str, Any] | None:
        """The incident that an accepted event belongs to, None where it opened none."""
        with self.database.read() as conn:
            incident_id = incidents.find_by_event(conn, event_id)
        return self.incident(str(incident_id)) if incident_id is not None else None

    def debug(self, number: str, now: datetime) -> DebugReport:
        with self.database.read() as conn:
            incident = incidents.get(conn, number)
            row_id = incident.row_id
            members = alerts.load_by_incident(conn, [row_id])[row_id]
            timeline = incidents.load_timeline(conn, row_id)
            changes = self._change_finder.find_changes_before(conn, incident)
            suggestions = self._fix_suggestions.suggest(conn, incident)
        return build_debug_report(
            incident, members, self.catalog, now, timeline=timeline, changes=changes, suggestions=suggestions
        )

    @property
    def _fix_suggestions(self) -> FixSuggestions:
        """By the plain weights where the rule files are broken just now."""
        with suppress(FirstcauseError):
            return FixSuggestions(self.knowledge.book.from_thresholds(FixWeights, FIX_PREFIX))
        return FixSuggestions(FixWeights())

    @property
    def _change_finder(self) -> ChangeFinder:
        return ChangeFinder(self.knowledge, self.settings.topology.learned_ttl)

    def debug_as(self, number: str, form: str, now: datetime) -> str:
        """The debug report as text, markdown or json."""
        report = self.debug(number, now)
        if form == "json":
            return report.model_dump_json(indent=2)
        return as_markdown(report) if form == "markdown" else as_text(report)

    def explain(self, number: str, now: datetime) -> dict[str, Any]:
        """Why an incident is what it is."""
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).explain_incident(number)

    def explain_rule(self, name: str, now: datetime) -> dict[str, Any]:
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).explain_rule(name)

    def what_if(self, fixed: str, now: datetime) -> dict[str, Any]:
        """Which open alerts would go if the errors of that code were mended."""
        with self._lock, self.database.read() as conn:
            return Explainer(conn, self.knowledge, now).simulate_fix(fixed)

    def resolve(self, number: str, now: datetime, *, fix: str | None, actor: str) -> dict[str, Any]:
        """A person says that it is over. Resolving twice changes nothing."""
        with self.database.write() as conn:
            incident = incidents.get(conn, number)
            if incident.status is IncidentStatus.OPEN:
                masked_fix = self.mask.mask_text(fix) if fix else None
                ending = incident.model_copy(update={"fix": masked_fix})
                reason = masked_fix or "a person resolved it"
                self._accept_state(conn, incident, actor)
                close_incident(conn, ending, now, self._notification_queue, actor=actor, reason=reason)
        return self.incident(number)

    def _accept_state(self, conn: sa.Connection, ending: Incident, actor: str) -> None:
        """Whoever ends a regression by hand says that it is meant to be as it is now."""
        row_id = ending.row_id
        members = alerts.load_by_incident(conn, [row_id])[row_id]
        last = snapshots.load_last(conn)
        if last is not None and any(
            member.active and member.probe == snapshot_check.COMPARISON for member in members
        ):
            snapshots.mark_good(conn, last.snapshot_id, f"{actor} resolved the regression")

    @property
    def history(self) -> HealthHistory:
        """What was: snapshots, trends, forecasts."""
        return HealthHistory(self.database, self.knowledge, self._change_finder)

    @property
    def acting(self) -> IncidentActions:
        """What people do about incidents."""
        return IncidentActions(self.database, self.mask)

    @property
    def remedying(self) -> RemedyRunner:
        """What plugins can mend by themselves."""
        return RemedyRunner(self.remedies, self.acting, self.mask)

    def words_at(self, now: datetime) -> tuple[object, ...]:
        """What people said that holds; where it changes, rules are to look again."""
        with self.database.read() as conn:
            silence_ids = [silence.silence_id for silence in silences.load_active(conn, now)]
            return (*silence_ids, *cause_overrides.load_active(conn))

    def heed(self, now: datetime) -> None:
        """Let what a person said take effect, where no daemon runs that would do so."""
        with suppress(StoreError), self.database.hold_daemon_lock():
            self.reconsider(now)

    def _report_events(self, reporter: str, raised: Sequence[Event], now: datetime) -> None:
        """Report what is wrong by one that is no probe, and what it said before and says no more as over."""
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        if events := probe_events.build_report_events(reporter, raised, active, now, generate_id):
            self.accept(events, now)

    def health(self) -> dict[str, Any]:
        """The last full check, without running one."""
        with self.database.read() as conn:
            stored = snapshots.load_last(conn)
        if stored is None:
            return {"status": "UNKNOWN", "infrastructure": {}, "snapshot_id": None, "checked_at": None}
        return health_serializers.serialize_health(stored)

    def ready(self) -> dict[str, str]:
        """Part -> "ok", or what is wrong with it."""
        parts: dict[str, str] = {}
        for name, check in (("store", self.database.read_version), ("rules", lambda: self.knowledge)):
            try:
                check()
            except FirstcauseError as error:
                parts[name] = str(error)
            else:
                parts[name] = "ok"
        return parts

    def status(self, now: datetime) -> dict[str, Any]:
        """How firstcause itself is: its rules, its store, what is open."""
        with self.database.read() as conn:
            pending_events = self.database.inbox.count_pending(conn)
            pending_notifications = outbox.count_pending(conn)
            open_incidents = incidents.load_open(conn)
            store_bytes = disk_usage.measure_store(conn)
        return {
            "version": version("firstcause"),
            "time": format_time(now),
            "rules": incident_serializers.serialize_rules(self.knowledge.book, self.refused),
            "store": {
                "url": self.database.display_url,
                "bytes": store_bytes,
                "waiting": pending_events,
                "unsent": pending_notifications,
            },
            "incidents": dict(
                sorted(Counter(incident.priority.value for incident in open_incidents).items())
            ),
            "health": self.health()["status"],
        }

    def measures(self) -> Metrics:
        """What `/metrics` tells of it."""
        evaluations = self.knowledge.inference.evaluation_count
        return collect_metrics(
            self.database, self.world, processed_events=self.triaged, rule_evaluations=evaluations
        )

    def close(self) -> None:
        for probe in self.__dict__.get("probes", {}).values():
            if probe.close is not None:
                with suppress(Exception):
                    probe.close()
        with suppress(FirstcauseError), self._lock:
            if self._rulebase is not None:
                self._rulebase.close()
        self.database.close()
