"""Aggregates occurrences into alerts: fifty occurrences of one error are one alert with a count of 50."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.model import Alert, Role, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Severity


@dataclass
class Aggregation:
    """Alerts by fingerprint after a batch.

    changed: fingerprints of alerts about which rules may conclude something new: the alert is new, ended,
        more severe, began earlier, or its count crossed a limit. Only these are worth a rule run.
    added_counts: occurrences that the batch added, by fingerprint.
    late_counts: occurrences that happened before the end of their ended alert, by fingerprint.
    """

    alerts: dict[str, Alert]
    changed: set[str] = field(default_factory=set)
    added_counts: dict[str, int] = field(default_factory=dict)
    late_counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ActiveAlertSummary:
    """The fields of a stored active alert that tell whether more of the same changes anything."""

    stored_id: int
    code: str
    title: str
    count: int
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    sample: Sample | None = None


@dataclass(frozen=True)
class CountUpdate:
    """Occurrences that only add to the count of an alert, so that no rule needs to see them.

    sample: the latest occurrence, None if the alert's own sample is later.
    """

    stored_id: int
    added: int
    last_seen: datetime
    sample: Sample | None

    def apply_to(self, alert: ActiveAlertSummary) -> ActiveAlertSummary:
        """Return the alert with these occurrences counted."""
        sample = self.sample or alert.sample
        return replace(alert, count=alert.count + self.added, last_seen=self.last_seen, sample=sample)


def count_only(
    occurrences: Iterable[Occurrence],
    active_alerts: Mapping[str, ActiveAlertSummary],
    limits: Sequence[float] = (),
) -> dict[str, CountUpdate]:
    """Find the occurrences that only add to an active alert, by fingerprint; nearly all, in a storm.

    limits: see `aggregate`, which handles the other occurrences.
    """
    groups: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        groups.setdefault(occurrence.fingerprint, []).append(occurrence)
    return {
        fingerprint: _make_count_update(group, active_alerts[fingerprint])
        for fingerprint, group in groups.items()
        if fingerprint in active_alerts and _only_adds(group, active_alerts[fingerprint], limits)
    }


def _only_adds(group: Sequence[Occurrence], alert: ActiveAlertSummary, limits: Sequence[float]) -> bool:
    return (
        not any(occurrence.event.resolved for occurrence in group)
        and all(
            severity.rank <= alert.severity.rank for severity in {occurrence.severity for occurrence in group}
        )
        and min(occurrence.event.time for occurrence in group) >= alert.first_seen
        and not crosses_threshold(limits, alert.count, alert.count + len(group))
    )


def _make_count_update(group: Sequence[Occurrence], alert: ActiveAlertSummary) -> CountUpdate:
    last = max(reversed(group), key=lambda occurrence: occurrence.event.time)
    is_later = last.event.time >= alert.last_seen
    return CountUpdate(
        stored_id=alert.stored_id,
        added=len(group),
        last_seen=max(alert.last_seen, last.event.time),
        sample=_make_sample(last) if is_later else None,
    )


def aggregate(
    occurrences: Iterable[Occurrence],
    existing: Mapping[str, Alert],
    ended_until: Mapping[str, datetime],
    limits: Sequence[float] = (),
) -> Aggregation:
    """Aggregate a batch into alerts.

    existing: active alerts by fingerprint, and alerts that ended so recently that the same error reopens
        them.
    ended_until: for ended alerts, until when an occurrence still belongs to the end (see `belongs_until`);
        such an occurrence opens nothing.
    limits: the counts that rules compare with, in order.
    """
    aggregation = Aggregation(alerts=dict(existing))
    for occurrence in occurrences:
        if occurrence.event.resolved:
            _end_alert(aggregation, occurrence)
        elif is_late(occurrence, ended_until) and not _is_active(aggregation, occurrence):
            aggregation.late_counts[occurrence.fingerprint] = (
                aggregation.late_counts.get(occurrence.fingerprint, 0) + 1
            )
        elif occurrence.fingerprint in aggregation.alerts:
            _add_occurrence(aggregation, occurrence)
        else:
            aggregation.alerts[occurrence.fingerprint] = _make_alert(occurrence)
            aggregation.changed.add(occurrence.fingerprint)
            aggregation.added_counts[occurrence.fingerprint] = 1
    aggregation.changed |= {
        fingerprint
        for fingerprint in aggregation.added_counts.keys() & existing.keys()
        if aggregation.alerts[fingerprint].first_seen < existing[fingerprint].first_seen
        or crosses_threshold(limits, existing[fingerprint].count, aggregation.alerts[fingerprint].count)
    }
    return aggregation


def stamp_opened_at(aggregation: Aggregation, now: datetime) -> Aggregation:
    """Set the time by our own clock at which new alerts were opened; return the aggregation."""
    for fingerprint in aggregation.changed:
        if aggregation.alerts[fingerprint].stored_id is None:
            aggregation.alerts[fingerprint] = aggregation.alerts[fingerprint].model_copy(
                update={"opened_at": now}
            )
    return aggregation


def crosses_threshold(limits: Sequence[float], before: float, after: float) -> bool:
    """Whether a comparison with some limit is true for one of the values only. limits: in order."""
    return _locate_value(limits, before) != _locate_value(limits, after)


def _locate_value(limits: Sequence[float], value: float) -> tuple[int, int]:
    return bisect_left(limits, value), bisect_right(limits, value)


def _is_active(aggregation: Aggregation, occurrence: Occurrence) -> bool:
    alert = aggregation.alerts.get(occurrence.fingerprint)
    return alert is not None and alert.active


def belongs_until(alert: Alert, *, cause_is_back: bool, grace_s: float) -> datetime:
    """Compute until when an occurrence still belongs to an ended alert: its end, for a cascade with a grace.

    cause_is_back: whether the cause of the alert is active again.
    grace_s: how long follow-on errors may continue after their root cause is resolved.
    """
    # Example: Twilio fails at 3:00 and is well again at 3:10. SMS jobs that started before then time out
    # until 3:12. With a grace of five minutes these late failures count in the ended alert. Without it, each
    # would open a new incident whose cause is gone.
    #
    # Three alerts get no grace. A root is its own cause, so a new occurrence is a new failure. An alert whose
    # cause is back belongs to the new failure of that cause. And a probe has looked just now, so what it
    # reports is still true. A comparison of snapshots comes from a probe too, but has no service: it reports
    # a state that may be some minutes old, and gets the grace.
    end = alert.resolved_at or alert.last_seen
    is_probe_result = alert.probe is not None and alert.service is not None
    is_straggler = alert.role is Role.CASCADE and not cause_is_back and not is_probe_result
    return end + timedelta(seconds=grace_s) if is_straggler else end


def is_late(occurrence: Occurrence, ended_until: Mapping[str, datetime]) -> bool:
    """Whether an occurrence belongs to an ended alert: it happened before `ended_until`."""
    end = ended_until.get(occurrence.fingerprint)
    return end is not None and occurrence.event.time <= end


def _add_occurrence(aggregation: Aggregation, occurrence: Occurrence) -> None:
    alert = aggregation.alerts[occurrence.fingerprint]
    if not alert.active:
        # The error ended and started again: a person would call that one alert.
        alert = alert.model_copy(update={"resolved_at": None})
        aggregation.changed.add(alert.fingerprint)
    event = occurrence.event
    update: dict[str, object] = {
        "count": alert.count + 1,
        "first_seen": min(alert.first_seen, event.time),
        "last_seen": max(alert.last_seen, event.time),
    }
    if occurrence.severity.rank > alert.severity.rank:
        update["severity"] = occurrence.severity
        aggregation.changed.add(alert.fingerprint)
    if event.time >= alert.last_seen:
        update["sample"] = _make_sample(occurrence)
    aggregation.alerts[alert.fingerprint] = alert.model_copy(update=update)
    aggregation.added_counts[alert.fingerprint] = aggregation.added_counts.get(alert.fingerprint, 0) + 1


def _end_alert(aggregation: Aggregation, occurrence: Occurrence) -> None:
    alert = aggregation.alerts.get(occurrence.fingerprint)
    if alert is not None and alert.active:
        ended = max(occurrence.event.time, alert.first_seen)
        aggregation.alerts[alert.fingerprint] = alert.model_copy(update={"resolved_at": ended})
        aggregation.changed.add(alert.fingerprint)


def _make_alert(occurrence: Occurrence) -> Alert:
    event = occurrence.event
    return Alert(
        fingerprint=occurrence.fingerprint,
        fault=occurrence.fault,
        code=occurrence.code,
        catalogued=occurrence.entry is not None,
        title=occurrence.title,
        severity=occurrence.severity,
        first_seen=event.time,
        last_seen=event.time,
        count=1,
        component=occurrence.entry.component if occurrence.entry else None,
        tenant=event.tenant,
        service=event.service,
        probe=event.probe,
        drill=event.drill,
        sample=_make_sample(occurrence),
    )


def _make_sample(occurrence: Occurrence) -> Sample:
    event = occurrence.event
    return Sample(
        message=event.message,
        details=event.details,
        source=event.source,
        stack=event.stack,
        tags=event.tags,
        likeness=occurrence.likeness,
    )
