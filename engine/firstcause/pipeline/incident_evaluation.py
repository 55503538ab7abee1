"""Lets the rules look at active alerts, and brings the incidents in line with their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import Change, change_fact, dependency_fact, past_root_facts, silence_facts
from firstcause.core.root_cause.attribution import manual_verdict
from firstcause.health.change_finder import find_deployments
from firstcause.health.system_state import CHANGE_TTL as RECENT_CHANGE_WINDOW
from firstcause.hookspecs.types import FactContext
from firstcause.inference.patterns import matches_fully
from firstcause.pipeline.incident_updates import IncidentUpdater
from firstcause.rulebase.evaluation import OpenIncidentHistory, ScopeEvaluator, collect_common_facts
from firstcause.store import (
    alerts,
    cause_overrides,
    dependencies,
    incidents,
    notification_state,
    recorded_facts,
    silences,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.grouping.aggregation import Aggregation
    from firstcause.core.health.comparison import Difference
    from firstcause.core.model import Alert, Fact, Verdict
    from firstcause.health.system_state import SystemState
    from firstcause.notify.queue import NotificationQueue
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.rulebase import Rulebase

ROOT_HISTORY_WINDOW = timedelta(days=90)
"""How long it counts for a component that it was a root before."""


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

    def apply_aggregation(self, conn: sa.Connection, aggregation: Aggregation, now: datetime) -> None:
        """Store the alerts of a batch, and update the incidents where rules may conclude something new.

        Drills are evaluated by themselves: a drill causes nothing real and follows from nothing real.
        """
        for drill in (False, True):
            selected = {name: alert for name, alert in aggregation.alerts.items() if alert.drill is drill}
            counted_names = aggregation.added_counts.keys() & selected.keys()
            changed_names = aggregation.changed & selected.keys()
            if changed_names:
                active = alerts.load_active(conn, drill=drill)
                current_alerts = {alert.fingerprint: alert for alert in active} | selected
                self._update_incidents(
                    conn, current_alerts, changed_names, counted_names | changed_names, now
                )
            elif counted_names:
                alerts.save(conn, (selected[name] for name in counted_names))

    def reconsider(self, conn: sa.Connection, now: datetime) -> None:
        """Evaluate all active alerts again, as time went on or something other than alerts changed."""
        active = {alert.fingerprint: alert for alert in alerts.load_active(conn)}
        if active:
            self._update_incidents(conn, active, active.keys(), (), now)

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
            conn, alerts_by_fingerprint, now, self.notification_queue, self.reopen_within_s
        )
        updater.end_stand_ins()
        updater.resolve_ended_roots()
        active = updater.get_active()
        facts = self.system_state.build_facts(now) + self._collect_facts(conn, active.values(), now)
        recorded_facts.record(conn, now, facts)
        common = collect_common_facts(conn, self.rulebase, facts, active.values(), now)
        history = OpenIncidentHistory(
            updater.find_ended(),
            notification_state.load_notified_faults(conn),
            _load_manual_verdicts(conn, active),
        )
        scopes = ScopeEvaluator(self.rulebase, active, common, now, history)
        verdicts = scopes.derive_verdicts(changed)
        updater.apply(verdicts, touched, scopes.stand_in_alerts, scopes.doubtful)

    def _collect_facts(self, conn: sa.Connection, active: Iterable[Alert], now: datetime) -> list[Fact]:
        """Collect facts of the past, silences, dependencies, deployments and plugins.

        None are collected where history is replayed: the recorded facts hold them already.
        """
        if self.system_state.replayed_facts is not None:
            return []
        real_alerts = [alert for alert in active if not alert.drill]
        past_facts = past_root_facts(incidents.count_past_roots(conn, now - ROOT_HISTORY_WINDOW))
        silenced_facts = silence_facts(real_alerts, silences.load_active(conn, now), matches_fully)
        since = now - timedelta(seconds=self.learned_ttl_s)
        dependency_facts = [dependency_fact(*call) for call in dependencies.list_since(conn, since)]
        deployment_facts = [
            _build_deployment_fact(deployment, now)
            for deployment in find_deployments(conn, now - RECENT_CHANGE_WINDOW, now)
        ]
        return [
            *past_facts,
            *silenced_facts,
            *dependency_facts,
            *deployment_facts,
            *self.plugins.facts(_build_fact_context(real_alerts)),
        ]


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


def _build_deployment_fact(difference: Difference, now: datetime) -> Fact:
    since, before, after = difference.since or now, str(difference.before), str(difference.after)
    return change_fact(
        Change(difference.category, difference.component, difference.name, before, after, since), now
    )


def _build_fact_context(active: Iterable[Alert]) -> FactContext:
    active_alerts = list(active)
    tenants = frozenset(alert.tenant for alert in active_alerts if alert.tenant is not None)
    return FactContext(frozenset(alert.code for alert in active_alerts), tenants)
