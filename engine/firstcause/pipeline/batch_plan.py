"""What a batch of events changes, as a value: counts, alerts, registry, event log. Nothing here does I/O."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.grouping.aggregation import (
    aggregate,
    count_only,
    find_early_ends,
    is_late,
    stamp_opened_at,
)
from firstcause.core.grouping.overflow import KindBudget, apply_limits, update_titles
from firstcause.core.root_cause.suspects import weigh_alert
from firstcause.store.event_log import EventRecord
from firstcause.store.inbox import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.grouping.aggregation import (
        ActiveAlertSummary,
        Aggregation,
        CountUpdate,
        EarlyEnd,
        EndedAlert,
    )
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.grouping.overflow import KindLimits, ServiceTenant
    from firstcause.core.model import Alert, Severity
    from firstcause.core.root_cause.ranking import Weights
    from firstcause.core.root_cause.signals import Signals
    from firstcause.core.root_cause.suspects import Weighable
    from firstcause.pipeline.decoding import DecodedEvent


@dataclass(frozen=True)
class CountingRules:
    """What decides whether one more occurrence of an error makes the rules look again.

    count_limits: the counts that rules compare with, in order.
    """

    count_limits: Sequence[float]
    signals: Signals
    weights: Weights

    def changes_evidence(self, before: Weighable, after: Weighable) -> bool:
        """Whether the alert weighs differently as evidence: a frequent error is stronger evidence."""
        return weigh_alert(before, self.signals, self.weights) != weigh_alert(
            after, self.signals, self.weights
        )


@dataclass(frozen=True)
class BatchContext:
    """What the store knows about the events of a batch. Alerts are by fingerprint.

    count_updates: events that only add to the count of an active alert.
    existing: for the other events, the active alerts and those that may be reopened.
    ended: the latest ended alert of each fingerprint without an active alert.
    ends: what tells whether an occurrence still belongs to its ended alert.
    early_ends: reported ends that wait for the beginning of these errors.
    kinds_by_service: how many kinds of errors have alerts; None if no event could exceed a limit.
    tenants_by_fault: how many alerts of tenants an error has; None if no event could exceed that limit.
    """

    now: datetime
    rules: CountingRules
    count_updates: Mapping[str, CountUpdate]
    existing: Mapping[str, Alert]
    ended: Mapping[str, Alert]
    ends: Mapping[str, EndedAlert]
    early_ends: Sequence[EarlyEnd]
    kinds_by_service: Mapping[ServiceTenant, int] | None
    tenants_by_fault: Mapping[str, int] | None = None


@dataclass(frozen=True)
class BatchPlan:
    """What is to be stored for a batch.

    count_updates: counts of active alerts that change nothing else.
    late_counts: row of an ended alert -> occurrences that happened before its end.
    aggregation: the alerts that the batch opened or changed.
    registry_rows: a row for each code of the batch.
    event_counts: occurrences by code and severity.
    event_records: all events of the batch, as the event log keeps them.
    early_ends: reported ends that are to wait for the beginning of their error.
    applied_ends: ends that waited and whose error has begun now; they are to be applied next.
    """

    count_updates: Sequence[CountUpdate]
    late_counts: Mapping[int, int]
    aggregation: Aggregation
    registry_rows: Sequence[Mapping[str, object]]
    event_counts: Mapping[tuple[str, Severity], int]
    event_records: Sequence[EventRecord]
    early_ends: Sequence[EarlyEnd] = ()
    applied_ends: Sequence[Occurrence] = ()


def plan_count_updates(
    occurrences: Iterable[Occurrence],
    summaries: Mapping[str, ActiveAlertSummary],
    rules: CountingRules,
) -> dict[str, CountUpdate]:
    """Plan the counts that no rule needs to see, by fingerprint; nearly all, in a storm."""
    updates = count_only(occurrences, summaries, rules.count_limits)
    return {
        name: update
        for name, update in updates.items()
        if not rules.changes_evidence(summaries[name], update.apply_to(summaries[name]))
    }


def plan_batch(
    context: BatchContext,
    events: Mapping[str, DecodedEvent],
    occurrences: Mapping[str, Occurrence],
    kind_limits: KindLimits,
) -> BatchPlan:
    """Plan what a batch changes.

    events: all new events of the batch by id, with those that could not be read.
    occurrences: the readable ones, by the same ids.
    """
    aggregated = _limit_kinds(
        context,
        {
            event_id: occurrence
            for event_id, occurrence in occurrences.items()
            if occurrence.fingerprint not in context.count_updates
        },
        kind_limits,
    )
    counted = {**occurrences, **aggregated}
    aggregation = _plan_alerts(context, list(aggregated.values()))
    late_rows = {name: context.ended[name].row_id for name in aggregation.late_counts}
    waiting_ends = [*context.early_ends, *aggregation.early_ends]
    return BatchPlan(
        count_updates=list(context.count_updates.values()),
        late_counts={row_id: aggregation.late_counts[name] for name, row_id in late_rows.items()},
        aggregation=aggregation,
        registry_rows=_build_registry_rows(counted.values()),
        event_counts=_count_by_code(counted.values()),
        event_records=[
            build_event_record(decoded, counted.get(event_id)) for event_id, decoded in events.items()
        ],
        early_ends=aggregation.early_ends,
        applied_ends=find_early_ends(aggregation.began, waiting_ends),
    )


def opens_alert(
    occurrence: Occurrence, existing: Mapping[str, Alert], ends: Mapping[str, EndedAlert]
) -> bool:
    """Whether there is no alert that the occurrence belongs to."""
    return occurrence.fingerprint not in existing and not is_late(occurrence, ends)


def _limit_kinds(
    context: BatchContext, occurrences: Mapping[str, Occurrence], kind_limits: KindLimits
) -> dict[str, Occurrence]:
    """Return the occurrences, those beyond the limits as one of the alert in which they count."""
    if context.kinds_by_service is None and context.tenants_by_fault is None:
        return dict(occurrences)
    limited = apply_limits(
        list(occurrences.values()),
        lambda occurrence: opens_alert(occurrence, context.existing, context.ends),
        KindBudget(kind_limits, dict(context.kinds_by_service or {}), dict(context.tenants_by_fault or {})),
    )
    return dict(zip(occurrences, limited, strict=True))


def _plan_alerts(context: BatchContext, occurrences: Sequence[Occurrence]) -> Aggregation:
    rules, existing = context.rules, context.existing
    aggregation = aggregate(occurrences, existing, context.ends, rules.count_limits)
    update_titles(aggregation, occurrences)
    counted_names = aggregation.added_counts.keys()
    aggregation.changed |= {
        name
        for name in counted_names & existing.keys()
        if rules.changes_evidence(existing[name], aggregation.alerts[name])
    }
    return stamp_opened_at(aggregation, context.now)


def build_event_record(decoded: DecodedEvent, occurrence: Occurrence | None) -> EventRecord:
    """Build the record of an event for the event log. occurrence: None if the event was not identified."""
    fingerprint = occurrence.fingerprint if occurrence else None
    if decoded.event is None:
        return EventRecord(decoded.event_id, json.dumps({"unreadable": decoded.raw}), None, decoded.problem)
    return EventRecord(decoded.event_id, encode_event(decoded.event), fingerprint, decoded.problem)


def _count_by_code(occurrences: Iterable[Occurrence]) -> Counter[tuple[str, Severity]]:
    """Count by code and severity.

    Reports of our own probes do not count: how many there are depends on how often the probes run.
    """
    return Counter(
        (occurrence.code, occurrence.severity)
        for occurrence in occurrences
        if not (occurrence.event.resolved or occurrence.event.drill or occurrence.event.probe is not None)
    )


def _build_registry_rows(occurrences: Iterable[Occurrence]) -> list[dict[str, object]]:
    """Build one row of the registry a code, with the title of its latest occurrence."""
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
