"""The parts of an alert: what its labels tell apart, each of which begins and ends for itself.

Two instances that fire under one name are one alert with two parts. The alert is over when the last part is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.core.downtime import skip_downtime
from firstcause.core.model import AlertPart, AlertParts, FoldedPart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from firstcause.core.downtime import Downtime
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Alert, Event

MAX_SHOWN_PARTS = 50
"""The number of parts of an alert of which labels, times and counts are kept."""

MAX_FOLDED_PARTS = 5000
"""The number of further parts that are distinguished. What is beyond counts as one part."""

MIN_REPEAT_INTERVAL = timedelta(minutes=1)
"""How soon an active state may be reported again to count as another report of it."""

OVERFLOW_KEY = "*"
"""The key of the part that stands for all parts beyond MAX_FOLDED_PARTS."""

_MAX_LABELS = 64
_MAX_LABEL_LENGTH = 200


@dataclass(frozen=True)
class PartPolicy:
    """Which labels tell parts apart; rule files set these as thresholds `part_...`.

    tags: tags of an event that count as labels, whatever its format.
    ignored: labels that never count, such as the replica of a sender that is doubled for safety.
    """

    tags: tuple[str, ...] = (
        "instance", "host.name", "pod", "k8s.pod.name", "container", "node", "device", "mountpoint", "shard",
        "service.instance.id", "environment", "env", "deployment.environment", "deployment.environment.name",
        "monitor", "rule", "run", "job.run", "region", "zone",
    )  # fmt: skip
    ignored: tuple[str, ...] = (
        "replica", "prometheus", "prometheus_replica", "__replica__", "receive", "tenant_id",
    )  # fmt: skip

    def select_labels(self, event: Event) -> dict[str, str]:
        """Return the labels that tell the part of an event from others; empty if there are none."""
        if not event.labels and not event.tags:
            return {}
        labels = {name: event.tags[name] for name in self.tags if event.tags.get(name)}
        labels |= {name: value for name, value in event.labels.items() if name not in self.ignored and value}
        names = sorted(labels)[:_MAX_LABELS]
        return {name[:_MAX_LABEL_LENGTH]: labels[name][:_MAX_LABEL_LENGTH] for name in names}


DEFAULT_PART_POLICY = PartPolicy()


def compute_part_key(labels: Mapping[str, str]) -> str:
    """Compute the key of a part; empty for no labels."""
    return _hash_labels(tuple(sorted(labels.items()))) if labels else ""


@lru_cache(maxsize=8192)
def _hash_labels(labels: tuple[tuple[str, str], ...]) -> str:
    text = "\x1f".join(f"{name}\x1e{value}" for name, value in labels)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def says_end(event: Event) -> bool:
    """Whether the sender of an event says when the error is over, so that its silence says little."""
    return event.announces_end or event.reports_end


@dataclass
class PartLedger:
    """The parts of one alert while a batch is counted; the only mutable form of them.

    shown: by key, in the order in which they began.
    """

    shown: dict[str, AlertPart] = field(default_factory=dict)
    folded: dict[str, FoldedPart] = field(default_factory=dict)

    @classmethod
    def open(cls, alert: Alert) -> PartLedger:
        """Open the ledger of a stored alert. One without parts is one part without labels."""
        if alert.parts.shown or alert.parts.folded:
            shown = {compute_part_key(part.labels): part for part in alert.parts.shown}
            return cls(shown, dict(alert.parts.folded))
        whole = AlertPart(
            count=alert.count,
            first_seen=alert.first_seen,
            last_seen=alert.last_seen,
            received_at=alert.last_arrival,
            resolved_at=alert.resolved_at,
            ended_at=alert.ended_at,
        )
        return cls({"": whole})

    @property
    def is_active(self) -> bool:
        return bool(self.folded) or any(part.resolved_at is None for part in self.shown.values())

    def is_part_active(self, key: str) -> bool:
        """Whether the part with this key is active."""
        part = self.shown.get(key)
        return key in self.folded or (part is not None and part.resolved_at is None)

    def find_latest(self, key: str | None) -> AlertPart | None:
        """Return the part with this key, or where key is None the part that was seen last."""
        if key is not None:
            return self.shown.get(key)
        return max(self.shown.values(), key=lambda part: part.last_seen, default=None)

    def is_part_over(self, occurrence: Occurrence) -> bool:
        """Whether an occurrence happened before the end that its sender reported of its part."""
        part = self.shown.get(occurrence.part)
        event = occurrence.event
        return (
            part is not None
            and part.resolved_at is not None
            and part.ended_at is not None
            and not event.announces_end
            and event.time <= part.ended_at
        )

    def is_repetition(self, occurrence: Occurrence) -> bool:
        """Whether an active state is reported again so soon that it says nothing new.

        Senders repeat a request whose answer they did not get, and two of them may report for safety.
        """
        if not occurrence.event.announces_end or not self.is_part_active(occurrence.part):
            return False
        part = self.shown.get(occurrence.part) or self.folded[occurrence.part]
        return occurrence.arrival - part.received_at < MIN_REPEAT_INTERVAL

    def add(self, occurrence: Occurrence) -> bool:
        """Count an occurrence; returns whether its part began with it, or began again."""
        key, event, received_at = occurrence.part, occurrence.event, occurrence.arrival
        part = self.shown.get(key)
        if part is None:
            return self._add_new(key, occurrence)
        self.shown[key] = part.model_copy(
            update={
                "count": part.count + (0 if self.is_repetition(occurrence) else 1),
                "first_seen": min(part.first_seen, event.time),
                "last_seen": max(part.last_seen, event.time),
                "received_at": max(part.received_at, received_at),
                "resolved_at": None,
                "announces_end": says_end(event),
                "expires_at": event.expires_at,
            }
        )
        return part.resolved_at is not None

    def _add_new(self, key: str, occurrence: Occurrence) -> bool:
        event, received_at = occurrence.event, occurrence.arrival
        if len(self.shown) < MAX_SHOWN_PARTS or self._drop_oldest_ended():
            began = self.folded.pop(key, None) is None
            self.shown[key] = AlertPart(
                labels=dict(occurrence.labels),
                count=1,
                first_seen=event.time,
                last_seen=event.time,
                received_at=received_at,
                announces_end=says_end(event),
                expires_at=event.expires_at,
            )
            return began
        if key not in self.folded and len(self.folded) >= MAX_FOLDED_PARTS:
            key = OVERFLOW_KEY
        began = key not in self.folded
        self.folded[key] = FoldedPart(
            received_at=received_at, announces_end=says_end(event), expires_at=event.expires_at
        )
        return began

    def _drop_oldest_ended(self) -> bool:
        """Make room for a part that begins, by forgetting the one that ended first."""
        ended = {key: part.resolved_at for key, part in self.shown.items() if part.resolved_at is not None}
        if not ended:
            return False
        del self.shown[min(ended, key=lambda key: ended[key])]
        return True

    def end(self, key: str | None, resolved_at: datetime, ended_at: datetime | None) -> bool:
        """End a part, or all of them where key is None; returns whether anything ended.

        ended_at: by the sender's clock, None where somebody else ends it.
        """
        keys = (key,) if key is not None else (*self.shown, *self.folded)
        active = [name for name in keys if self.is_part_active(name)]
        for name in active:
            self.folded.pop(name, None)
            if name in self.shown:
                part = self.shown[name]
                self.shown[name] = part.model_copy(update={"resolved_at": resolved_at, "ended_at": ended_at})
        return bool(active)

    def close(self) -> AlertParts:
        """Return the parts as the alert keeps them."""
        whole = self.shown.get("")
        is_plain = whole is not None and not whole.announces_end and whole.expires_at is None
        if is_plain and len(self.shown) == 1 and not self.folded:
            return AlertParts()
        return AlertParts(shown=tuple(self.shown.values()), folded=self.folded)


@dataclass(frozen=True)
class Patience:
    """How long an alert stays active that nobody reports any more.

    silent_s: seconds without a report after which an error is over.
    announced_s: the same for an error whose sender announces the end itself.
    downtimes: when firstcause did not run. Nobody could report to it, so these times do not count.
    """

    silent_s: float
    announced_s: float
    downtimes: tuple[Downtime, ...] = ()

    def compute_end(self, part: AlertPart | FoldedPart) -> datetime:
        """Compute when an active part is over, unless it is reported again before."""
        limit_s = self.announced_s if part.announces_end else self.silent_s
        heard_at = skip_downtime(part.received_at, self.downtimes)
        silent_until = heard_at + timedelta(seconds=limit_s)
        if part.expires_at is None:
            return silent_until
        return min(part.expires_at + (heard_at - part.received_at), silent_until)


def compute_ends(alert: Alert, patience: Patience) -> dict[str, datetime]:
    """Compute when each active part of an alert is over unless it is reported again; by its key."""
    ledger = PartLedger.open(alert)
    active: dict[str, AlertPart | FoldedPart] = {
        key: part for key, part in ledger.shown.items() if part.resolved_at is None
    }
    active |= ledger.folded
    return {key: patience.compute_end(part) for key, part in active.items()}


def find_ended_parts(alert: Alert, patience: Patience, now: datetime) -> list[str | None]:
    """Find the parts of an active alert that are over though nobody said so; None stands for all of it."""
    ends = compute_ends(alert, patience)
    over = [key for key, end in ends.items() if end <= now]
    return [None] if over and len(over) == len(ends) else list(over)
