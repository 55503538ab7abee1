"""Folds occurrences into alerts: fifty of the same are one alert with a count of fifty."""

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
class Folded:
    """Alerts by fingerprint after a batch.

    changed: fingerprints whose alert rules may see otherwise than before: it is new, ended, more severe,
    began earlier, or its count passed a limit. Only these are worth a rule run.
    counted: fingerprint -> occurrences that the batch added.
    late: occurrences of alerts that had ended when they happened, by fingerprint.
    """

    alerts: dict[str, Alert]
    changed: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """What of an alert that is stored and active tells whether more of the same changes anything."""

    stored_id: int
    code: str
    title: str
    count: int
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    sample: Sample | None = None


@dataclass(frozen=True)
class More:
    """Occurrences that an alert counts and that no rule need see. sample: None where the alert's is later."""

    stored_id: int
    added: int
    last_seen: datetime
    sample: Sample | None

    def of(self, alert: Standing) -> Standing:
        """The alert with these."""
        sample = self.sample or alert.sample
        return replace(alert, count=alert.count + self.added, last_seen=self.last_seen, sample=sample)


def counted(
    occurrences: Iterable[Occurrence], standing: Mapping[str, Standing], limits: Sequence[float] = ()
) -> dict[str, More]:
    """By fingerprint those occurrences that only add to a standing alert; nearly all, in a storm.

    limits: see `fold`, which is for all others.
    """
    together: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        together.setdefault(occurrence.fingerprint, []).append(occurrence)
    return {
        name: _more(listed, standing[name])
        for name, listed in together.items()
        if name in standing and _only_adds(listed, standing[name], limits)
    }


def _only_adds(listed: Sequence[Occurrence], alert: Standing, limits: Sequence[float]) -> bool:
    return (
        not any(each.event.resolved for each in listed)
        and all(severity.rank <= alert.severity.rank for severity in {each.severity for each in listed})
        and min(each.event.time for each in listed) >= alert.first_seen
        and not passed(limits, alert.count, alert.count + len(listed))
    )


def _more(listed: Sequence[Occurrence], alert: Standing) -> More:
    last = max(reversed(listed), key=lambda each: each.event.time)
    later = last.event.time >= alert.last_seen
    return More(
        stored_id=alert.stored_id,
        added=len(listed),
        last_seen=max(alert.last_seen, last.event.time),
        sample=_sample(last) if later else None,
    )


def fold(
    occurrences: Iterable[Occurrence],
    known: Mapping[str, Alert],
    over: Mapping[str, datetime],
    limits: Sequence[float] = (),
) -> Folded:
    """Fold a batch into alerts.

    known: active alerts by fingerprint, and those that ended so lately that the same error again is the
    same alert. over: of ended ones, until when an occurrence still belongs to what ended (see `until`);
    it then opens nothing.
    limits: the counts that rules compare with, in order.
    """
    folded = Folded(alerts=dict(known))
    for occurrence in occurrences:
        if occurrence.event.resolved:
            _end(folded, occurrence)
        elif is_late(occurrence, over) and not _burns(folded, occurrence):
            folded.late[occurrence.fingerprint] = folded.late.get(occurrence.fingerprint, 0) + 1
        elif occurrence.fingerprint in folded.alerts:
            _add(folded, occurrence)
        else:
            folded.alerts[occurrence.fingerprint] = _new(occurrence)
            folded.changed.add(occurrence.fingerprint)
            folded.counted[occurrence.fingerprint] = 1
    folded.changed |= {
        name
        for name in folded.counted.keys() & known.keys()
        if folded.alerts[name].first_seen < known[name].first_seen
        or passed(limits, known[name].count, folded.alerts[name].count)
    }
    return folded


def opened(folded: Folded, now: datetime) -> Folded:
    """The same, its new alerts with the time by our own clock."""
    for name in folded.changed:
        if folded.alerts[name].stored_id is None:
            folded.alerts[name] = folded.alerts[name].model_copy(update={"opened_at": now})
    return folded


def passed(limits: Sequence[float], before: float, after: float) -> bool:
    """Whether some comparison with a limit holds of one of both and not of the other. limits: in order."""
    return _place(limits, before) != _place(limits, after)


def _place(limits: Sequence[float], value: float) -> tuple[int, int]:
    return bisect_left(limits, value), bisect_right(limits, value)


def _burns(folded: Folded, occurrence: Occurrence) -> bool:
    alert = folded.alerts.get(occurrence.fingerprint)
    return alert is not None and alert.active


def until(ended: Alert, *, cause_is_back: bool, grace: float) -> datetime:
    """Until when an occurrence still belongs to an alert that ended: its end, and for a cascade some more.

    What a fault set off may go on for a while after it is mended. grace: seconds. What a probe says of its
    component is no straggler: it has just looked. A comparison, which is of no service, looks at what was.
    """
    end = ended.resolved_at or ended.last_seen
    looked = ended.probe is not None and ended.service is not None
    trails = ended.role is Role.CASCADE and not cause_is_back and not looked
    return end + timedelta(seconds=grace) if trails else end


def is_late(occurrence: Occurrence, over: Mapping[str, datetime]) -> bool:
    """Whether it belongs to what had ended when it happened."""
    end = over.get(occurrence.fingerprint)
    return end is not None and occurrence.event.time <= end


def _add(folded: Folded, occurrence: Occurrence) -> None:
    alert = folded.alerts[occurrence.fingerprint]
    if not alert.active:
        # Ended and begun again: one alert, as a person would see it.
        alert = alert.model_copy(update={"resolved_at": None})
        folded.changed.add(alert.fingerprint)
    event = occurrence.event
    update: dict[str, object] = {
        "count": alert.count + 1,
        "first_seen": min(alert.first_seen, event.time),
        "last_seen": max(alert.last_seen, event.time),
    }
    if occurrence.severity.rank > alert.severity.rank:
        update["severity"] = occurrence.severity
        folded.changed.add(alert.fingerprint)
    if event.time >= alert.last_seen:
        update["sample"] = _sample(occurrence)
    folded.alerts[alert.fingerprint] = alert.model_copy(update=update)
    folded.counted[alert.fingerprint] = folded.counted.get(alert.fingerprint, 0) + 1


def _end(folded: Folded, occurrence: Occurrence) -> None:
    alert = folded.alerts.get(occurrence.fingerprint)
    if alert is not None and alert.active:
        ended = max(occurrence.event.time, alert.first_seen)
        folded.alerts[alert.fingerprint] = alert.model_copy(update={"resolved_at": ended})
        folded.changed.add(alert.fingerprint)


def _new(occurrence: Occurrence) -> Alert:
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
        sample=_sample(occurrence),
    )


def _sample(occurrence: Occurrence) -> Sample:
    event = occurrence.event
    return Sample(
        message=event.message,
        details=event.details,
        source=event.source,
        stack=event.stack,
        tags=event.tags,
        likeness=occurrence.likeness,
    )
