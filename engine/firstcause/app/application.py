"""firstcause over one store: the parts that CLI, web and daemon call, built when they are first needed."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.app.daemon_runs import DaemonRuns
from firstcause.app.maintenance import Maintenance
from firstcause.app.monitoring import Monitoring
from firstcause.app.secret_masking import SecretMasking
from firstcause.errors import FirstcauseError
from firstcause.health.health_service import HealthService
from firstcause.health.system_state import SystemState
from firstcause.incidents.actions import record_audit
from firstcause.incidents.incident_service import IncidentService
from firstcause.incidents.remedies import RemedyRunner
from firstcause.incidents.silence_service import SilenceService
from firstcause.intake.event_intake import EventIntake
from firstcause.notify.notification_service import NotificationService
from firstcause.pipeline.event_pipeline import EventPipeline
from firstcause.plugins.manager import PluginManager
from firstcause.rulebase.live_rules import LiveRules
from firstcause.selfcheck.direct_sender import DirectSender
from firstcause.selfcheck.reporter import SelfReporter
from firstcause.selfcheck.self_check import SelfCheck
from firstcause.selfcheck.watchdog import Watchdog
from firstcause.store.database import Database
from firstcause.topology.topology_service import TopologyService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from firstcause.config import Settings
    from firstcause.core.privacy.masking import Mask
    from firstcause.notify.queue import NotificationQueue
    from firstcause.rulebase.rulebase import Rulebase


class Application:
    """Builds the parts and closes them. What firstcause does is in the parts.

    plugins: None to load those that are installed. rulebase: None to read the rule files of the settings.
    """

    def __init__(
        self, settings: Settings, plugins: PluginManager | None = None, rulebase: Rulebase | None = None
    ) -> None:
        self.settings = settings
        self.database = Database(settings.store_url)
        self.system_state = SystemState()
        self.wake: Callable[[], None] | None = None
        """Wakes the loop that triages. Set by the daemon; None where no such loop runs in this process."""
        self._given_plugins = plugins
        self._given_rulebase = rulebase

    @cached_property
    def plugins(self) -> PluginManager:
        return self._given_plugins or PluginManager.load(self.settings.plugins)

    @cached_property
    def rules(self) -> LiveRules:
        return LiveRules(
            self.settings,
            self._list_rule_folders,
            self._given_rulebase,
            self._report_rule_mistakes,
            self._has_fact_suppliers,
        )

    @cached_property
    def masking(self) -> SecretMasking:
        return SecretMasking(self.settings, self.rules, self.plugins.secrets)

    @cached_property
    def intake(self) -> EventIntake:
        return EventIntake(self.database, self._get_mask, self.settings.intake.max_waiting_bytes)

    @cached_property
    def pipeline(self) -> EventPipeline:
        return EventPipeline(
            self.database,
            self.settings,
            rules=self.rules,
            plugins=self.plugins,
            system_state=self.system_state,
            notification_queue=self.notifications.queue,
            get_mask=self._get_mask,
            get_wake=lambda: self.wake,
        )

    @cached_property
    def health(self) -> HealthService:
        return HealthService(
            self.database,
            self.settings,
            rules=self.rules,
            system_state=self.system_state,
            intake=self.intake,
            list_probes=self.plugins.probes,
            get_mask=self._get_mask,
            triage=self._triage_soon,
        )

    @cached_property
    def incidents(self) -> IncidentService:
        return IncidentService(
            self.database,
            rules=self.rules,
            system_state=self.system_state,
            learned_ttl_s=self.settings.topology.learned_ttl,
            get_mask=self._get_mask,
            get_notification_queue=self._get_notification_queue,
            apply_override=self._apply_override,
            apply_override_soon=self._apply_override_soon,
        )

    @cached_property
    def topology(self) -> TopologyService:
        settings = self.settings.topology
        return TopologyService(self.database, self.rules, settings.learned_ttl, dict(settings.depends_on))

    @cached_property
    def silences(self) -> SilenceService:
        return SilenceService(self.database, self._get_mask, self._apply_override_soon)

    @cached_property
    def notifications(self) -> NotificationService:
        return NotificationService(
            self.database,
            self.settings.notify,
            rules=self.rules,
            incidents=self.incidents,
            intake=self.intake,
            list_notifiers=self.plugins.notifiers,
            get_mask=self._get_mask,
            wake=self._wake_triage,
        )

    @cached_property
    def remedies(self) -> RemedyRunner:
        return RemedyRunner(self.database, self.plugins.remedies, self._get_mask)

    @cached_property
    def maintenance(self) -> Maintenance:
        return Maintenance(
            self.database,
            self.settings,
            self.intake,
            self.incidents,
            reevaluate=self._reevaluate,
        )

    @cached_property
    def daemon_runs(self) -> DaemonRuns:
        return DaemonRuns(self.database, self.rules)

    @cached_property
    def self_check(self) -> SelfCheck:
        return SelfCheck(
            self.database,
            rules=self.rules,
            plugins=self.plugins,
            intake=self.intake,
            pipeline=self.pipeline,
            health=self.health,
            notifications=self.notifications,
            get_mask=self._get_mask,
            expects_probes=self.settings.health.expect_probes,
        )

    @cached_property
    def self_reporter(self) -> SelfReporter:
        return SelfReporter(
            self.database, self.settings.notify, self.self_check, self.intake, self._direct_sender
        )

    @cached_property
    def watchdog(self) -> Watchdog | None:
        """Sends the daily message; None where none is configured."""
        settings = self.settings.notify.watchdog
        if settings is None:
            return None
        return Watchdog(self.database, settings, self.self_check, self._direct_sender)

    @cached_property
    def _direct_sender(self) -> DirectSender:
        return DirectSender(self.notifications, self._get_mask)

    @cached_property
    def monitoring(self) -> Monitoring:
        return Monitoring(
            self.database,
            rules=self.rules,
            system_state=self.system_state,
            intake_metrics=self.intake.metrics,
            get_processed_count=lambda: self.pipeline.processed_count,
            self_check=self.self_check,
            run_check=self.health.check,
            list_plugins=self.plugins.states,
            get_mask=self._get_mask,
        )

    def load(self) -> None:
        """Build every part, and read what can be wrong: rules, probes, notifiers. ConfigError, RuleFileError.

        Threads that share the application need this first, as two of them may else build the same part.
        """
        _ = self.rules.current, self.pipeline, self.health.probes, self.notifications.notifiers
        _ = self.silences, self.remedies, self.maintenance, self.monitoring, self.self_reporter, self.watchdog

    def record_audit(self, now: datetime, actor: str, action: str, about: str) -> None:
        """Add to the audit log what a person did with firstcause itself, such as signing in."""
        record_audit(self.database, now, actor, action, about)

    def close(self) -> None:
        """Close the parts that were built: probes, rules, the database."""
        built = self.__dict__
        if "health" in built:
            self.health.close()
        if "rules" in built:
            with suppress(FirstcauseError):
                self.rules.close()
        self.database.close()

    # Parts are handed these methods where the part behind is above them, or is costly to build: plugins are
    # loaded only for a question that needs them.

    def _list_rule_folders(self) -> Sequence[Path]:
        return self.plugins.rule_folders()

    def _has_fact_suppliers(self) -> bool:
        return self.plugins.supplies_facts

    def _report_rule_mistakes(self, mistakes: Mapping[Path, str]) -> None:
        self.plugins.report_rule_mistakes(mistakes)

    def _get_mask(self) -> Mask:
        return self.masking.get_mask()

    def _get_notification_queue(self) -> NotificationQueue:
        return self.notifications.queue

    def _triage_soon(self, now: datetime) -> None:
        self.pipeline.triage_soon(now)

    def _reevaluate(self, now: datetime) -> None:
        self.pipeline.reevaluate(now)

    def _apply_override(self, now: datetime) -> None:
        self.pipeline.apply_override(now)

    def _apply_override_soon(self, now: datetime) -> None:
        self.pipeline.apply_override_soon(now)

    def _wake_triage(self) -> None:
        if self.wake is not None:
            self.wake()
