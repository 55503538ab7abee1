"""Processes one batch of accepted events into alerts and incidents, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.fingerprint import identify
from firstcause.core.grouping.overflow import KindLimits
from firstcause.core.root_cause.graphs import calls_of, releases_of
from firstcause.pipeline.batch_context import load_context
from firstcause.pipeline.batch_plan import CountingRules, build_event_record, plan_batch
from firstcause.pipeline.decoding import decode
from firstcause.pipeline.incident_evaluation import IncidentEvaluator
from firstcause.store import alerts, dependencies, early_ends, event_counts, event_log, releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake, Topology
    from firstcause.core.grouping.aggregation import Aggregation
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.privacy.masking import Mask
    from firstcause.health.system_state import SystemState
    from firstcause.notify.queue import NotificationQueue
    from firstcause.pipeline.batch_plan import BatchPlan
    from firstcause.pipeline.decoding import DecodedEvent
    from firstcause.pipeline.waiting_scopes import WaitingScopes
    from firstcause.plugins.manager import PluginManager
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database


@dataclass(frozen=True)
class BatchResult:
    """What a batch did.

    events: how many were taken from the inbox.
    changed: how many alerts rules looked at.
    suspect_probes: probes that can tell whether a known cause of these errors is broken.
    problems: of the events that were set aside, as they cannot be read or processed.
    evaluated_scopes: how many scopes were evaluated that waited, where no event did.
    """

    events: int = 0
    changed: int = 0
    suspect_probes: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    evaluated_scopes: int = 0

    @property
    def did_work(self) -> bool:
        """Whether there may be more to do."""
        return self.events > 0 or self.evaluated_scopes > 0


@dataclass(frozen=True)
class EventProcessor:
    """The pipeline from the inbox to incidents.

    release_attributes: tags or details of an error that name the release of its service.
    """

    database: Database
    rulebase: Rulebase
    plugins: PluginManager
    system_state: SystemState
    notification_queue: NotificationQueue
    intake: Intake
    topology: Topology
    mask: Mask
    waiting_scopes: WaitingScopes
    release_attributes: Sequence[str] = ()

    def run(self, now: datetime, limit: int) -> BatchResult:
        """Process up to `limit` of the oldest pending events; the result has 0 events if none is pending.

        Load what the store knows, plan what changes without any I/O, then save the plan.
        """
        with self.database.read() as conn:
            batch = self.database.inbox.load_pending(conn, limit)
        if not batch.payloads:
            return BatchResult()
        events = _deduplicate_events(decoded for payload in batch.payloads for decoded in decode(payload))
        identified = self._identify_events(list(events.values()))
        with self.database.write() as conn:
            batch.mark_processed(conn)
            # An event that a sender repeats after a lost answer must not count again.
            for event_id in event_log.find_existing(conn, events.keys()):
                del events[event_id]
            occurrences = {
                event_id: identified[event_id]
                for event_id, decoded in events.items()
                if decoded.event is not None
            }
            self._record_topology(conn, occurrences.values(), now)
            plan = self._count_events(conn, events, occurrences, now)
        return BatchResult(
            sum(payload.to_process for payload in batch.payloads),
            len(plan.aggregation.changed),
            self._find_suspect_probes(plan.aggregation),
            tuple(decoded.problem or "" for decoded in events.values() if decoded.event is None),
        )

    def _count_events(
        self,
        conn: sa.Connection,
        events: Mapping[str, DecodedEvent],
        occurrences: Mapping[str, Occurrence],
        now: datetime,
    ) -> BatchPlan:
        """Count events in their alerts, then apply the ends that arrived before their beginning."""
        kind_limits = KindLimits(self.intake.max_uncatalogued_per_service, self.intake.max_uncatalogued)
        context = load_context(conn, occurrences, self._counting_rules, self.intake, now)
        plan = plan_batch(context, events, occurrences, kind_limits)
        self._save(conn, plan, now)
        if plan.applied_ends:
            ends = {end.event.id: end for end in plan.applied_ends}
            context = load_context(conn, ends, self._counting_rules, self.intake, now)
            self._save(conn, plan_batch(context, {}, ends, kind_limits), now)
            early_ends.delete(conn, {end.fingerprint for end in plan.applied_ends})
        return plan

    def _save(self, conn: sa.Connection, plan: BatchPlan, now: datetime) -> None:
        alerts.add_counts(conn, plan.count_updates)
        alerts.count_late(conn, plan.late_counts)
        self._evaluator.apply_aggregation(conn, plan.aggregation, now)
        alerts.register(conn, plan.registry_rows)
        event_counts.record(conn, plan.event_counts, now)
        event_log.append(conn, plan.event_records, now)
        early_ends.save(conn, plan.early_ends, now)

    def reconsider(self, now: datetime) -> None:
        """Evaluate all active alerts again, as time went on or something other than alerts changed."""
        with self.database.write() as conn:
            self._evaluator.reconsider(conn, now)

    def evaluate_waiting(self, now: datetime) -> BatchResult:
        """Evaluate scopes that wait for it."""
        before = len(self.waiting_scopes.tenants)
        with self.database.write() as conn:
            self._evaluator.evaluate_waiting(conn, now)
        return BatchResult(evaluated_scopes=before - len(self.waiting_scopes.tenants))

    def set_aside(self, problem: str, now: datetime) -> BatchResult:
        """Log the oldest pending event with the problem that keeps it from being processed."""
        with self.database.read() as conn:
            batch = self.database.inbox.load_pending(conn, 1)
        if not batch.payloads:
            return BatchResult()
        with self.database.write() as conn:
            batch.mark_processed(conn)
            events = _deduplicate_events(decoded for payload in batch.payloads for decoded in decode(payload))
            new_ids = events.keys() - event_log.find_existing(conn, events.keys())
            event_log.append(
                conn,
                [build_event_record(events[name]._replace(problem=problem), None) for name in new_ids],
                now,
            )
        return BatchResult(len(batch.payloads), problems=(problem,) * len(new_ids))

    def _identify_events(self, decoded_events: Sequence[DecodedEvent]) -> dict[str, Occurrence]:
        catalog, policy = self.rulebase.catalog, self.rulebase.book.parts
        readable = [decoded for decoded in decoded_events if decoded.event is not None]
        originals = [decoded.event for decoded in readable if decoded.event is not None]
        enriched = self.plugins.enrich(
            originals, [catalog.get(event.code) is not None for event in originals]
        )
        # Intake has masked the events; what plugins add to an event is not masked yet.
        events = [
            after if after is before else self.mask.mask_event(after)
            for before, after in zip(originals, enriched, strict=True)
        ]
        return {
            decoded.event_id: identify(event, catalog, policy, decoded.received_at)
            for decoded, event in zip(readable, events, strict=True)
        }

    def _record_topology(self, conn: sa.Connection, occurrences: Iterable[Occurrence], now: datetime) -> None:
        """Learn from the errors which services call each other and which releases run."""
        events = [occurrence.event for occurrence in occurrences]
        dependencies.record(conn, calls_of(events, self.topology.peer_attributes), now)
        releases.record(conn, releases_of(events, self.release_attributes))

    @property
    def _counting_rules(self) -> CountingRules:
        book = self.rulebase.book
        return CountingRules(self.rulebase.inference.limits("alert", "count"), book.signals, book.weights)

    @property
    def _evaluator(self) -> IncidentEvaluator:
        return IncidentEvaluator(
            self.rulebase,
            self.plugins,
            self.system_state,
            self.notification_queue,
            self.intake.reopen_within,
            self.topology.learned_ttl,
            self.waiting_scopes,
        )

    def _find_suspect_probes(self, aggregation: Aggregation) -> frozenset[str]:
        catalog, graph = self.rulebase.catalog, self.rulebase.graph
        codes = {
            aggregation.alerts[name].code for name in aggregation.changed if aggregation.alerts[name].active
        }
        entries = [catalog.get(cause) for code in codes for cause in (code, *graph.find_causes(code))]
        return frozenset(entry.verify.probe for entry in entries if entry is not None and entry.verify.probe)


def _deduplicate_events(decoded_events: Iterable[DecodedEvent]) -> dict[str, DecodedEvent]:
    """Return the events by id. The first of several with one id counts; the others are repetitions."""
    by_id: dict[str, DecodedEvent] = {}
    for decoded in decoded_events:
        by_id.setdefault(decoded.event_id, decoded)
    return by_id
