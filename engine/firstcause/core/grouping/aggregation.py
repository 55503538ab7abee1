"""Aggregates occurrences into alerts: fifty occurrences of one error are one alert with a count of 50.

Two clocks are kept apart. `time` of an event is the sender's and says when it happened. `arrival` of an
occurrence is our own. What comes too late, what returns and what is silent goes by arrival; a sender's time
is compared with a time of the same sender only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.grouping.parts import PartLedger, compute_part_key, says_end
from firstcause.core.model import Alert, AlertPart, Role, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Event, Severity

MAX_TRANSIT = timedelta(minutes=2)
"""How long an event may be under way. What arrives later than that after an end has begun again."""

CLOCK_RESOLUTION = timedelta(seconds=1)
"""By how much two times of one sender may differ, as some senders know whole seconds only."""


@dataclass(frozen=True)
class EarlyEnd:
    """A reported end of what has no beginning yet. part: key of the part, empty for the whole alert."""

    fingerprint: str
    part: str
    event: Event
    received_at: datetime


@dataclass
class Aggregation:
    """Alerts by fingerprint after a batch.

    changed: fingerprints of alerts about which rules may conclude something new: the alert is new, ended,
        more severe, began earlier, has a new part, or its count crossed a limit. Only these are worth a rule
        run.
    added_counts: occurrences that the batch added, by fingerprint.
    late_counts: occurrences that happened before the end of their ended alert, by fingerprint.
    early_ends: reported ends of what has no beginning yet; the beginning may still be under way.
    began: occurrences with which an alert, or a part of it, began.
    """

    alerts: dict[str, Alert]
    changed: set[str] = field(default_factory=set)
    added_counts: dict[str, int] = field(default_factory=dict)
    late_counts: dict[str, int] = field(default_factory=dict)
    early_ends: list[EarlyEnd] = field(default_factory=list)
    began: list[Occurrence] = field(default_factory=list)
    _ledgers: dict[str, PartLedger] = field(default_factory=dict)

    def open_ledger(self, fingerprint: str) -> PartLedger:
        """Return the parts of an alert, to be changed."""
        ledger = self._ledgers.get(fingerprint)
        if ledger is None:
            ledger = self._ledgers[fingerprint] = PartLedger.open(self.alerts[fingerprint])
        return ledger

    def start_ledger(self, fingerprint: str) -> PartLedger:
        """Return the empty ledger of a new alert, of which nothing is counted yet."""
        ledger = self._ledgers[fingerprint] = PartLedger()
        return ledger

    def close_ledgers(self) -> None:
        """Keep the changed parts with their alerts."""
        for fingerprint, ledger in self._ledgers.items():
            alert = self.alerts[fingerprint]
            self.alerts[fingerprint] = alert.model_copy(update={"parts": ledger.close()})
        self._ledgers.clear()


@dataclass(frozen=True)
class ActiveAlertSummary:
    """The fields of a stored active alert that tell whether more of the same changes anything.

    has_parts: whether its occurrences have labels; each must then be counted with its part.
    """

    stored_id: int
    code: str
    title: str
    count: int
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    sample: Sample | None = None
    received_at: datetime | None = None
    clock_skew: float | None = None
    has_parts: bool = False


@dataclass(frozen=True)
class CountUpdate:
    """Occurrences that only add to the count of an alert, so that no rule needs to see them.

    sample: the latest occurrence, None if the alert's own sample is later.
    """

    stored_id: int
    added: int
    last_seen: datetime
    sample: Sample | None
    received_at: datetime
    clock_skew: float | None = None

    def apply_to(self, alert: ActiveAlertSummary) -> ActiveAlertSummary:
        """Return the alert with these occurrences counted."""
        sample = self.sample or alert.sample
        return replace(alert, count=alert.count + self.added, last_seen=self.last_seen, sample=sample)


@dataclass(frozen=True)
class EndedAlert:
    """What tells whether an occurrence still belongs to an alert that ended.

    until: by our own clock, the end, or for a follow-on error the end of its grace (see `find_end`).
    clock_skew: seconds that the sender's clock is behind ours.
    ended_at: the end that the sender reported, by the sender's clock.
    part_ends: the same for each part, by its key, of an alert that has parts. Each may have a clock of its
        own.
    """

    until: datetime
    clock_skew: float = 0.0
    ended_at: datetime | None = None
    part_ends: Mapping[str, datetime | None] = field(default_factory=dict)

    def has_part(self, part: str) -> bool:
        """Whether the alert had this part. The end of other parts says nothing about a new one."""
        return not self.part_ends or part in self.part_ends

    def find_reported_end(self, part: str) -> datetime | None:
        """Return the end that the sender of a part reported of it; None if nobody did."""
        return self.part_ends.get(part) if self.part_ends else self.ended_at


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
        not alert.has_parts
        and not any(_changes_parts(occurrence) for occurrence in group)
        and all(
            severity.rank <= alert.severity.rank for severity in {occurrence.severity for occurrence in group}
        )
        and min(occurrence.event.time for occurrence in group) >= alert.first_seen
        and not crosses_threshold(limits, alert.count, alert.count + len(group))
    )


def _changes_parts(occurrence: Occurrence) -> bool:
    event = occurrence.event
    return bool(occurrence.part) or event.resolved or says_end(event) or event.expires_at is not None


def _make_count_update(group: Sequence[Occurrence], alert: ActiveAlertSummary) -> CountUpdate:
    last = max(reversed(group), key=lambda occurrence: occurrence.event.time)
    is_later = last.event.time >= alert.last_seen
    arrival = max(occurrence.arrival for occurrence in group)
    skew = alert.clock_skew
    for occurrence in group:
        skew = _lower_skew(skew, occurrence)
    return CountUpdate(
        stored_id=alert.stored_id,
        added=len(group),
        last_seen=max(alert.last_seen, last.event.time),
        sample=_make_sample(last) if is_later else None,
        received_at=max(arrival, alert.received_at or arrival),
        clock_skew=skew,
    )


def _lower_skew(skew: float | None, occurrence: Occurrence) -> float | None:
    """How far the sender's clock is behind: the least delay seen between a time and its arrival."""
    event = occurrence.event
    if event.announces_end:
        return skew
    delay_s = (occurrence.arrival - event.time).total_seconds()
    return delay_s if skew is None else min(skew, delay_s)


def aggregate(
    occurrences: Iterable[Occurrence],
    existing: Mapping[str, Alert],
    ended: Mapping[str, EndedAlert],
    limits: Sequence[float] = (),
) -> Aggregation:
    """Aggregate a batch into alerts.

    existing: active alerts by fingerprint, and alerts that ended so recently that the same error reopens
        them.
    ended: for ended alerts, what tells whether an occurrence still belongs to the end; such an occurrence
        opens nothing.
    limits: the counts that rules compare with, in order.
    """
    aggregation = Aggregation(alerts=dict(existing))
    for occurrence in occurrences:
        if occurrence.event.resolved:
            _end_alert(aggregation, occurrence)
        elif _is_over(aggregation, occurrence, ended):
            aggregation.late_counts[occurrence.fingerprint] = (
                aggregation.late_counts.get(occurrence.fingerprint, 0) + 1
            )
        elif occurrence.fingerprint in aggregation.alerts:
            _add_occurrence(aggregation, occurrence)
        else:
            _open_alert(aggregation, occurrence)
    aggregation.close_ledgers()
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


def _is_over(aggregation: Aggregation, occurrence: Occurrence, ended: Mapping[str, EndedAlert]) -> bool:
    """Whether an occurrence belongs to an end that came before it."""
    alert = aggregation.alerts.get(occurrence.fingerprint)
    return not (alert is not None and alert.active) and is_late(occurrence, ended)


def find_end(alert: Alert, *, cause_is_back: bool, grace_s: float) -> EndedAlert:
    """Find until when an occurrence still belongs to an ended alert: its end, for a cascade with a grace.

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
    end = alert.resolved_at or alert.last_arrival
    is_probe_result = alert.probe is not None and alert.service is not None
    is_straggler = alert.role is Role.CASCADE and not cause_is_back and not is_probe_result
    return EndedAlert(
        until=end + timedelta(seconds=grace_s) if is_straggler else end,
        clock_skew=alert.clock_skew or 0.0,
        ended_at=alert.ended_at,
        part_ends={compute_part_key(part.labels): part.ended_at for part in alert.parts.shown},
    )


def is_late(occurrence: Occurrence, ended: Mapping[str, EndedAlert]) -> bool:
    """Whether an occurrence belongs to an ended alert: it happened before the end, and was only under way."""
    end, event = ended.get(occurrence.fingerprint), occurrence.event
    if end is None or event.announces_end or not end.has_part(occurrence.part):
        return False
    reported_end = end.find_reported_end(occurrence.part)
    if reported_end is not None and event.time <= reported_end:
        return True
    if event.sent_at is not None:
        return event.time <= end.until
    # What seems to have been under way for longer comes from a clock that was set meanwhile.
    happened_at = event.time + timedelta(seconds=end.clock_skew)
    was_under_way = occurrence.arrival - min(end.until, happened_at) <= MAX_TRANSIT
    return was_under_way and happened_at <= end.until


def _add_occurrence(aggregation: Aggregation, occurrence: Occurrence) -> None:
    fingerprint, event = occurrence.fingerprint, occurrence.event
    alert = aggregation.alerts[fingerprint]
    ledger = aggregation.open_ledger(fingerprint)
    part_is_over = ledger.is_part_over(occurrence)
    added = 0 if ledger.is_repetition(occurrence) else 1
    if not part_is_over and ledger.add(occurrence):
        # The error ended and started again: a person would call that one alert.
        aggregation.changed.add(fingerprint)
        aggregation.began.append(occurrence)
    update: dict[str, object] = {
        "count": alert.count + added,
        "first_seen": min(alert.first_seen, event.time),
        "last_seen": max(alert.last_seen, event.time),
        "received_at": max(alert.last_arrival, occurrence.arrival),
        "clock_skew": _lower_skew(alert.clock_skew, occurrence),
        "resolved_at": alert.resolved_at if part_is_over else None,
    }
    if occurrence.severity.rank > alert.severity.rank:
        update["severity"] = occurrence.severity
        aggregation.changed.add(fingerprint)
    if event.time >= alert.last_seen:
        update["sample"] = _make_sample(occurrence)
    aggregation.alerts[fingerprint] = alert.model_copy(update=update)
    aggregation.added_counts[fingerprint] = aggregation.added_counts.get(fingerprint, 0) + added


def _open_alert(aggregation: Aggregation, occurrence: Occurrence) -> None:
    fingerprint = occurrence.fingerprint
    aggregation.alerts[fingerprint] = _make_alert(occurrence)
    aggregation.changed.add(fingerprint)
    aggregation.added_counts[fingerprint] = 1
    aggregation.began.append(occurrence)
    if _changes_parts(occurrence):
        ledger = aggregation.start_ledger(fingerprint)
        ledger.add(occurrence)


def _end_alert(aggregation: Aggregation, occurrence: Occurrence) -> None:
    """End the part that an end is about; without labels it is about the whole alert."""
    fingerprint, event = occurrence.fingerprint, occurrence.event
    alert = aggregation.alerts.get(fingerprint)
    if alert is None or not alert.active:
        _keep_early_end(aggregation, occurrence)
        return
    is_own = _is_own_end(event)
    key = event.ends_part if is_own else occurrence.part or None
    ledger = aggregation.open_ledger(fingerprint)
    if _is_stale_end(ledger.find_latest(key), occurrence):
        return
    # A clock that is ahead reports an end in our future; what comes until then must not count as before it.
    ended_at = None if is_own else min(event.time, occurrence.arrival)
    resolved_at = _to_our_clock(alert, occurrence)
    if not ledger.end(key, resolved_at, ended_at):
        _keep_early_end(aggregation, occurrence)
        return
    aggregation.changed.add(fingerprint)
    update: dict[str, object] = {"received_at": max(alert.last_arrival, occurrence.arrival)}
    if not ledger.is_active:
        update |= {"resolved_at": resolved_at, "ended_at": ended_at}
    aggregation.alerts[fingerprint] = alert.model_copy(update=update)


def _is_own_end(event: Event) -> bool:
    """Whether firstcause itself found that the error is over, by a probe or by silence."""
    return event.ends_alert is not None or event.probe is not None


def _to_our_clock(alert: Alert, occurrence: Occurrence) -> datetime:
    """When an end happened by our own clock: not before its beginning, and never later than it arrived."""
    event = occurrence.event
    skew = timedelta() if event.sent_at is not None else timedelta(seconds=alert.clock_skew or 0.0)
    return min(max(event.time, alert.first_seen) + skew, occurrence.arrival)


def _is_stale_end(latest: AlertPart | None, occurrence: Occurrence) -> bool:
    """Whether an end came after a later occurrence only because it was under way longer.

    The two may come from two clocks, so the end must be older by the sender's clock and by ours.
    """
    event = occurrence.event
    if latest is None or event.announces_end:
        return False
    if _is_own_end(event):
        # What arrived after we looked has not ended by what we saw.
        return latest.received_at > event.time
    is_older = event.time < min(latest.last_seen, latest.received_at) - CLOCK_RESOLUTION
    return is_older and occurrence.arrival - latest.received_at <= MAX_TRANSIT


def _keep_early_end(aggregation: Aggregation, occurrence: Occurrence) -> None:
    event = occurrence.event
    if not (event.announces_end or _is_own_end(event)):
        aggregation.early_ends.append(
            EarlyEnd(occurrence.fingerprint, occurrence.part, event, occurrence.arrival)
        )


def find_early_ends(began: Iterable[Occurrence], ends: Iterable[EarlyEnd]) -> list[Occurrence]:
    """Find the ends that arrived before the beginning of their error, as occurrences of that error."""
    by_part: dict[tuple[str, str], list[EarlyEnd]] = {}
    for end in ends:
        by_part.setdefault((end.fingerprint, end.part), []).append(end)
    found = (
        _find_early_end(
            occurrence,
            [
                end
                for part in {"", occurrence.part}
                for end in by_part.get((occurrence.fingerprint, part), ())
            ],
        )
        for occurrence in began
        if by_part
    )
    return [end for end in found if end is not None]


def _find_early_end(began: Occurrence, ends: Iterable[EarlyEnd]) -> Occurrence | None:
    """Find the last end of an error that began; both times are the same sender's."""
    matching = [end for end in ends if end.event.time >= began.event.time and not began.event.announces_end]
    last = max(matching, key=lambda end: end.event.time, default=None)
    if last is None:
        return None
    return began._replace(event=last.event, part=last.part, received_at=last.received_at)


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
        received_at=occurrence.arrival,
        clock_skew=_lower_skew(None, occurrence),
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
