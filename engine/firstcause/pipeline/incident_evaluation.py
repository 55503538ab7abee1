"""Lets the rules look at active alerts, and brings the incidents in line with their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.collector import pause_collector
from firstcause.core.incidents.flapping import FlapPolicy
from firstcause.core.root_cause.attribution import manual_verdict
from firstcause.health.system_state import ReplayedFacts
from firstcause.pipeline.fact_collection import collect_facts
from firstcause.pipeline.incident_updates import IncidentUpdater
from firstcause.rulebase.evaluation import OpenIncidentHistory, ScopeEvaluator, collect_common_facts
from firstcause.store import alerts, cause_overrides, incidents, notification_state, recorded_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.grouping.aggregation import Aggregation
    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.health.system_state import SystemState
    from firstcause.notify.queue import NotificationQueue
    from firstcause.pipeline.waiting_scopes import WaitingScopes
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.rulebase import Rulebase

FLAPPING_PREFIX = "flapping_"
"""The prefix of the thresholds that set `FlapPolicy`."""


MAX_WORK = 10_000
"""Facts and verdicts in one evaluation: about a second. The scopes beyond wait for the next one."""


@dataclass(frozen=True)
class IncidentEvaluator:
    """Evaluates the rules and applies their verdicts, within the caller's transaction.

    reopen_within_s: seconds within which an error that returns continues its incident.
    learned_ttl_s: seconds for which a call between services counts that was learned from errors.
    """

    rulebase: Rulebase
    plugins: PluginManager
    system_state: SystemState
    notification_queue: NotificationQueue
    reopen_within_s: float
    learned_ttl_s: float
    waiting_scopes: WaitingScopes

    def apply_aggregation(self, conn: sa.Connection, aggregation: Aggregation, now: datetime) -> None:
        """Store the alerts of a batch, and update the incidents where rules may conclude something new.

        Drills are evaluated by themselves: a drill causes nothing real and follows from nothing real.
        """
        for drill in (False, True):
            selected = {name: alert for name, alert in aggregation.alerts.items() if alert.drill is drill}
            counted_names = aggregation.added_counts.keys() & selected.keys()
            changed_names = aggregation.changed & selected.keys()
            if changed_names or (not drill and self.waiting_scopes.tenants):
                with pause_collector():
                    active = alerts.load_active(conn, drill=drill)
                    current_alerts = {alert.fingerprint: alert for alert in active} | selected
                    self._update_incidents(
                        conn, current_alerts, changed_names, counted_names | changed_names, now
                    )
            elif counted_names:
                alerts.save(conn, (selected[name] for name in counted_names))

    def reconsider(self, conn: sa.Connection, now: datetime) -> None:
        """Evaluate all active alerts again, as time went on or something other than alerts changed."""
        with pause_collector():
            active = {alert.fingerprint: alert for alert in alerts.load_active(conn)}
            # An incident that flaps may have no active alert, and is resolved once that lasts.
            if active or incidents.load_flapping(conn):
                self._update_incidents(conn, active, active.keys(), (), now)

    def evaluate_waiting(self, conn: sa.Connection, now: datetime) -> None:
        """Evaluate the scopes that an earlier evaluation postponed, as far as one evaluation may."""
        with pause_collector():
            active = {alert.fingerprint: alert for alert in alerts.load_active(conn)}
            self._update_incidents(conn, active, (), (), now)

    def _update_incidents(
        self,
        conn: sa.Connection,
        alerts_by_fingerprint: Mapping[str, Alert],
        changed: Collection[str],
        touched: Collection[str],
        now: datetime,
    ) -> None:
        """Evaluate the rules and apply their verdicts.

        alerts_by_fingerprint, touched: see `IncidentUpdater`.
        changed: fingerprints of alerts about which rules may conclude something new.
        """
        updater = IncidentUpdater(
            conn,
            alerts_by_fingerprint,
            now,
            self.notification_queue,
            self.reopen_within_s,
            self.rulebase.book.from_thresholds(FlapPolicy, FLAPPING_PREFIX),
        )
        updater.end_stand_ins()
        updater.resolve_ended_roots()
        active = updater.get_active()
        facts = self._collect_facts(conn, active.values(), now)
        recorded_facts.record(conn, now, facts)
        common = collect_common_facts(conn, self.rulebase, facts, active.values(), now)
        history = OpenIncidentHistory(
            updater.find_ended(),
            notification_state.load_notified_faults(conn),
            _load_manual_verdicts(conn, active),
        )
        scopes = ScopeEvaluator(self.rulebase, active, common, now, history)
        ended = [each for name, each in alerts_by_fingerprint.items() if each.active and name not in active]
        is_drill = any(alert.drill for alert in alerts_by_fingerprint.values())
        waiting = () if is_drill else self.waiting_scopes.tenants
        verdicts = scopes.derive_verdicts(
            [*(alerts_by_fingerprint[name] for name in changed), *ended], waiting, MAX_WORK
        )
        if not is_drill:
            self.waiting_scopes.replace(scopes.postponed, now)
        updater.apply(verdicts, touched, scopes.stand_in_alerts, scopes.doubtful)

    def _collect_facts(self, conn: sa.Connection, active: Iterable[Alert], now: datetime) -> list[Fact]:
        """Collect the facts other than alerts; where history is replayed, only the recorded ones."""
        facts = self.system_state.build_facts(now)
        if isinstance(self.system_state.fact_source, ReplayedFacts):
            return facts
        return [*facts, *collect_facts(conn, active, self.plugins, now, self.learned_ttl_s)]


def _load_manual_verdicts(conn: sa.Connection, active: Mapping[str, Alert]) -> list[Verdict]:
    alert_by_id = {alert.stored_id: alert for alert in active.values()}
    return [
        manual_verdict(
            alert_by_id[override.effect_id],
            alert_by_id.get(override.cause_id),
            override.actor,
            override.reason,
        )
        for override in cause_overrides.load_active(conn)
        if override.effect_id in alert_by_id
        and (override.cause_id is None or override.cause_id in alert_by_id)
    ]
