"""One batch of accepted events into alerts and incidents, in one transaction."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import Change, change_fact, dependency_fact, past_root_facts, silence_facts
from firstcause.core.grouping.aggregation import (
    Aggregation,
    aggregate,
    belongs_until,
    count_only,
    stamp_opened_at,
)
from firstcause.core.grouping.fingerprint import Occurrence, identify
from firstcause.core.grouping.overflow import update_titles
from firstcause.core.root_cause.attribution import manual_verdict
from firstcause.core.root_cause.graphs import calls_of, releases_of
from firstcause.core.root_cause.suspects import weigh_alert
from firstcause.health.change_finder import find_deployments
from firstcause.health.system_state import CHANGE_TTL as RECENT_CHANGE_WINDOW
from firstcause.health.system_state import ReplayedFacts
from firstcause.hookspecs.types import FactContext
from firstcause.inference.patterns import matches_fully
from firstcause.pipeline.alert_lookup import enforce_limits, match_alerts
from firstcause.pipeline.decoding import decode
from firstcause.pipeline.incident_updates import IncidentUpdater
from firstcause.rulebase.evaluation import OpenIncidentHistory, ScopeEvaluator, collect_common_facts
from firstcause.store import (
    alerts,
    cause_overrides,
    dependencies,
    event_counts,
    event_log,
    incidents,
    notification_state,
    recorded_facts,
    releases,
    silences,
)
from firstcause.store.event_log import EventRecord
from firstcause.store.inbox import encode_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake, Topology
    from firstcause.core.health.comparison import Difference
    from firstcause.core.model import Alert, Fact, Severity, Verdict
    from firstcause.core.privacy.masking import Mask
    from firstcause.core.root_cause.suspects import Weighable
    from firstcause.health.system_state import SystemState
    from firstcause.notify.queue import NotificationQueue
    from firstcause.pipeline.decoding import DecodedEvent
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.triage")

ROOT_HISTORY_WINDOW = timedelta(days=90)
"""How long it counts for a component that it was the root before."""


@dataclass(frozen=True)
class BatchResult:
    """What a batch did. suspects: probes that could tell whether a known cause of what came is broken."""

    events: int = 0
    changed: int = 0
    suspect_probes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EventProcessor:
    """The pipe from the inbox to incidents; everything that it needs is handed in.

    releases: tags or details of an error that name the release of its service.
    """

    database: Database
    rulebase: Rulebase
    plugins: PluginManager
    system_state: SystemState
    notification_queue: NotificationQueue
    intake: Intake
    topology: Topology
    mask: Mask
    release_attributes: Sequence[str] = ()

    def run(self, now: datetime, limit: int) -> BatchResult:
        """Triage up to `limit` of the oldest waiting events; events 0 where none waits."""
        with self.database.read() as conn:
            batch = self.database.inbox.load_pending(conn, limit)
        if not batch.payloads:
            return BatchResult()
        decoded_by_id = _deduplicate_events(
            decoded for payload in batch.payloads for decoded in decode(payload)
        )
        identified = self._identify_events(decoded_by_id.values())
        with self.database.write() as conn:
            batch.mark_processed(conn)
            # What was sent twice is not counted again.
            for name in event_log.find_existing(conn, decoded_by_id.keys()):
                del decoded_by_id[name]
            occurrences = {
                name: identified[name] for name, decoded in decoded_by_id.items() if decoded.event is not None
            }
            events = [occurrence.event for occurrence in occurrences.values()]
            dependencies.record(conn, calls_of(events, self.topology.learn_from), now)
            releases.record(conn, releases_of(events, self.release_attributes))
            regrouped, aggregation = self._aggregate_events(conn, self._count_repeats(conn, occurrences), now)
            occurrences |= regrouped
            self._record_alerts(conn, aggregation, now)
            alerts.register(conn, _build_registry_rows(occurrences.values()))
            event_counts.record(conn, _count_by_code(occurrences.values()), now)
            event_log.append(
                conn,
                [
                    _build_event_record(decoded, occurrences.get(name))
                    for name, decoded in decoded_by_id.items()
                ],
                now,
            )
        return BatchResult(
            sum(payload.to_process for payload in batch.payloads),
            len(aggregation.changed),
            self._find_suspect_probes(aggregation),
        )

    def set_aside(self, problem: str, now: datetime) -> BatchResult:
        """Mark the oldest waiting event as not to be triaged, with the reason."""
        with self.database.read() as conn:
            batch = self.database.inbox.load_pending(conn, 1)
        if not batch.payloads:
            return BatchResult()
        with self.database.write() as conn:
            batch.mark_processed(conn)
            decoded_by_id = _deduplicate_events(
                decoded for payload in batch.payloads for decoded in decode(payload)
            )
            new_ids = decoded_by_id.keys() - event_log.find_existing(conn, decoded_by_id.keys())
            event_log.append(
                conn,
                [
                    _build_event_record(decoded_by_id[name]._replace(problem=problem), None)
                    for name in new_ids
                ],
                now,
            )
        return BatchResult(len(batch.payloads))

    def _identify_events(self, decoded_events: Iterable[DecodedEvent]) -> dict[str, Occurrence]:
        catalog = self.rulebase.catalog
        originals = [decoded.event for decoded in decoded_events if decoded.event is not None]
        enriched = self.plugins.enrich(
            originals, [catalog.get(event.code) is not None for event in originals]
        )
        # What came in was masked then; what plugins added was not.
        events = [
            after if after is before else self.mask.mask_event(after)
            for before, after in zip(originals, enriched, strict=True)
        ]
        event_ids = (event.id for event in originals)
        return {event_id: identify(event, catalog) for event_id, event in zip(event_ids, events, strict=True)}

    def _count_repeats(
        self, conn: sa.Connection, occurrences: Mapping[str, Occurrence]
    ) -> dict[str, Occurrence]:
        """Count what only adds to an alert; returns the others."""
        existing = alerts.load_matched(conn, {occurrence.fingerprint for occurrence in occurrences.values()})
        updates = count_only(occurrences.values(), existing, self.rulebase.inference.limits("alert", "count"))
        plain_updates = {
            name: update
            for name, update in updates.items()
            if not self._is_changed_evidence(existing[name], update.apply_to(existing[name]))
        }
        alerts.add_counts(conn, plain_updates.values())
        return {
            name: occurrence
            for name, occurrence in occurrences.items()
            if occurrence.fingerprint not in plain_updates
        }

    def _aggregate_events(
        self, conn: sa.Connection, occurrences_by_id: Mapping[str, Occurrence], now: datetime
    ) -> tuple[dict[str, Occurrence], Aggregation]:
        """Returns also the occurrences as what they count in."""
        occurrences = list(occurrences_by_id.values())
        matched = match_alerts(conn, occurrences)
        existing, grace_until = (
            matched.active | self._find_reopenable(conn, matched.ended, now),
            self._find_grace_ends(conn, matched.ended),
        )
        occurrences = enforce_limits(conn, occurrences, existing, grace_until, self.intake, now)
        aggregation = aggregate(
            occurrences, existing, grace_until, self.rulebase.inference.limits("alert", "count")
        )
        update_titles(aggregation, occurrences)
        aggregation.changed |= self._find_changed_evidence(aggregation, existing)
        alert_ids = {name: matched.ended[name].stored_id for name in aggregation.late_counts}
        alerts.count_late(
            conn,
            {
                alert_id: aggregation.late_counts[name]
                for name, alert_id in alert_ids.items()
                if alert_id is not None
            },
        )
        return dict(zip(occurrences_by_id, occurrences, strict=True)), stamp_opened_at(aggregation, now)

    def _find_changed_evidence(self, aggregation: Aggregation, existing: Mapping[str, Alert]) -> set[str]:
        """Known alerts that are other evidence than before: one that came often is to be believed more."""
        common = aggregation.added_counts.keys() & existing.keys()
        return {
            name for name in common if self._is_changed_evidence(existing[name], aggregation.alerts[name])
        }

    def _is_changed_evidence(self, before: Weighable, after: Weighable) -> bool:
        """Whether it is other evidence."""
        signals, weights = self.rulebase.book.signals, self.rulebase.book.weights
        return weigh_alert(before, signals, weights) != weigh_alert(after, signals, weights)

    def _record_alerts(self, conn: sa.Connection, aggregation: Aggregation, now: datetime) -> None:
        """A drill is a world of its own: nothing in it causes what happened, nor follows from it."""
        for drill in (False, True):
            selected = {name: alert for name, alert in aggregation.alerts.items() if alert.drill is drill}
            counted_names, changed_names = (
                aggregation.added_counts.keys() & selected.keys(),
                aggregation.changed & selected.keys(),
            )
            if changed_names:
                active = alerts.load_active(conn, drill=drill)
                current_alerts = {alert.fingerprint: alert for alert in active} | selected
                self._update_incidents(
                    conn, current_alerts, changed_names, counted_names | changed_names, now
                )
            elif counted_names:
                alerts.save(conn, (selected[name] for name in counted_names))

    def reconsider(self, now: datetime) -> None:
        """Ask the rules anew of all that is active: time went on, or something besides the alerts changed."""
        with self.database.write() as conn:
            active = {alert.fingerprint: alert for alert in alerts.load_active(conn)}
            if active:
                self._update_incidents(conn, active, active.keys(), (), now)

    def _find_reopenable(
        self, conn: sa.Connection, ended: Mapping[str, Alert], now: datetime
    ) -> dict[str, Alert]:
        """Those that ended by themselves a moment ago: a person's word that it is over is the end of them."""
        since = now - timedelta(seconds=self.intake.returning)
        recent = {
            name: alert for name, alert in ended.items() if alert.resolved_at and alert.resolved_at >= since
        }
        closed = incidents.find_manually_closed(
            conn, {alert.incident_id for alert in recent.values()} - {None}
        )
        return {name: alert for name, alert in recent.items() if alert.incident_id not in closed}

    def _find_grace_ends(self, conn: sa.Connection, ended: Mapping[str, Alert]) -> dict[str, datetime]:
        causes = {alert.caused_by for alert in ended.values() if alert.caused_by is not None}
        active_causes = alerts.load_active_by_fingerprint(conn, causes)
        return {
            name: belongs_until(
                alert, cause_is_back=alert.caused_by in active_causes, grace_s=self.intake.trailing
            )
            for name, alert in ended.items()
        }

    def _update_incidents(
        self,
        conn: sa.Connection,
        alerts_by_fingerprint: Mapping[str, Alert],
        changed: Collection[str],
        touched: Collection[str],
        now: datetime,
    ) -> None:
        """world, touched: see `Settlement`. changed: alerts that rules may see otherwise than before."""
        updater = IncidentUpdater(
            conn, alerts_by_fingerprint, now, self.notification_queue, self.intake.returning
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
        """Of plugins, silences and the past; none in a replay, whose recorded facts include them."""
        if isinstance(self.system_state.fact_source, ReplayedFacts):
            return []
        real_alerts = [alert for alert in active if not alert.drill]
        past_facts = past_root_facts(incidents.count_past_roots(conn, now - ROOT_HISTORY_WINDOW))
        silenced_facts = silence_facts(real_alerts, silences.load_active(conn, now), matches_fully)
        since = now - timedelta(seconds=self.topology.learned_for)
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

    def _find_suspect_probes(self, aggregation: Aggregation) -> frozenset[str]:
        catalog, graph = self.rulebase.catalog, self.rulebase.graph
        codes = {
            aggregation.alerts[name].code for name in aggregation.changed if aggregation.alerts[name].active
        }
        entries = [catalog.get(cause) for code in codes for cause in (code, *graph.find_causes(code))]
        return frozenset(entry.verify.probe for entry in entries if entry is not None and entry.verify.probe)


def _deduplicate_events(decoded_events: Iterable[DecodedEvent]) -> dict[str, DecodedEvent]:
    """By their ids; one that is there twice is the same occurrence, and the first counts."""
    by_id: dict[str, DecodedEvent] = {}
    for decoded in decoded_events:
        by_id.setdefault(decoded.event_id, decoded)
    return by_id


def _build_event_record(decoded: DecodedEvent, occurrence: Occurrence | None) -> EventRecord:
    fingerprint = occurrence.fingerprint if occurrence else None
    if decoded.event is None:
        return EventRecord(decoded.event_id, json.dumps({"unreadable": decoded.raw}), None, decoded.problem)
    return EventRecord(decoded.event_id, encode_event(decoded.event), fingerprint, decoded.problem)


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


def _count_by_code(occurrences: Iterable[Occurrence]) -> Counter[tuple[str, Severity]]:
    """By code and severity. Our own probes' reports are left out: they come as often as we ask."""
    return Counter(
        (occurrence.code, occurrence.severity)
        for occurrence in occurrences
        if not (occurrence.event.resolved or occurrence.event.drill or occurrence.event.probe is not None)
    )


def _build_registry_rows(occurrences: Iterable[Occurrence]) -> list[dict[str, object]]:
    """One line of the registry a code, in the words of its latest."""
    by_code: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        if not (occurrence.event.resolved or occurrence.event.drill):
            by_code.setdefault(occurrence.code, []).append(occurrence)
    return [_build_registry_row(code, group) for code, group in sorted(by_code.items())]


def _build_registry_row(code: str, group: Sequence[Occurrence]) -> dict[str, object]:
    latest = max(reversed(group), key=_get_time)
    return {
        "code": code,
        "title": latest.title,
        "catalogued": latest.entry is not None,
        "severity": latest.severity.value,
        "first_seen": min(map(_get_time, group)),
        "last_seen": latest.event.time,
        "count": len(group),
    }


def _get_time(occurrence: Occurrence) -> datetime:
    return occurrence.event.time
