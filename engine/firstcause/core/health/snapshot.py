"""Snapshots of the system: probe observations, errors, settings, alerts; and rolling several up into one."""

from __future__ import annotations

from collections import Counter
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, TypeGuard

from pydantic import Field

from firstcause.core.fact_kinds import SnapshotFact
from firstcause.core.model import Fact, Frozen, Scalar, Severity, Status, Time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from firstcause.core.reading import Reading

MAX_TOP_CODES = 5
"""The most frequent error codes that a snapshot keeps."""

MAX_LISTED = 50
"""Active alerts and new error codes that a snapshot lists."""

COUNT_UNIT = "count"
"""The unit at the end of the names of counts."""

MILLISECONDS_SUFFIX = "_ms"

PRESENT, ABSENT = "present", "absent"


class ProbeObservation(Frozen):
    """What a probe observed. latency_ms: of its last check. p95_ms, p99_ms: since the last snapshot."""

    status: Status
    component: str
    detail: str = ""
    latency_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    code: str | None = None
    data: dict[str, Scalar | None] = Field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """The measurements by name; each name ends with the unit."""
        latencies = {"latency_ms": self.latency_ms, "p95_ms": self.p95_ms, "p99_ms": self.p99_ms}
        values = {**self.data, **latencies}
        return {name: float(value) for name, value in values.items() if is_number(value)}

    @property
    def texts(self) -> dict[str, str]:
        """The texts by name: versions, commits, checksums."""
        return {name: value for name, value in self.data.items() if isinstance(value, str)}


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a measurement; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class ErrorSummary(Frozen):
    """The errors of a period. seconds: its length. top: the most frequent codes, with their counts.

    new: codes first seen after the last known good state, or without one after the last snapshot.
    """

    seconds: float = 0.0
    critical: int = 0
    warning: int = 0
    info: int = 0
    top: tuple[tuple[str, int], ...] = ()
    new: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.critical + self.warning + self.info

    @property
    def per_minute(self) -> float:
        return round(60 * self.total / self.seconds, 3) if self.seconds > 0 else 0.0


class ActiveAlert(Frozen):
    """An alert that was active."""

    code: str
    severity: Severity
    service: str | None = None
    tenant: str | None = None
    count: int = 1


class Snapshot(Frozen):
    """The system at one moment. configuration: by name `present`, `absent` or a checksum; never a value.

    alerts: the first MAX_LISTED of alerts_open.
    since: by key of each difference from the last known good state, when it was first seen.
    """

    taken_at: Time
    infrastructure: dict[str, ProbeObservation] = Field(default_factory=dict)
    errors: ErrorSummary = Field(default_factory=ErrorSummary)
    configuration: dict[str, str] = Field(default_factory=dict)
    alerts: tuple[ActiveAlert, ...] = ()
    alerts_open: int = 0
    critical_open: int = 0
    since: dict[str, Time] = Field(default_factory=dict)

    @property
    def status(self) -> Status | None:
        """The worst status of a probe; None without probes."""
        return max(
            (observation.status for observation in self.infrastructure.values()),
            key=_status_rank,
            default=None,
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Every number by its metric: `PROBE.MEASUREMENT`, `errors`, `alerts`, `health`."""
        metrics = {f"{probe}.{name}": value for probe, name, value in self.measurements()}
        for severity in Severity:
            metrics[f"errors.{severity.lower()}"] = float(getattr(self.errors, severity.lower()))
        metrics |= {"errors": float(self.errors.total), "errors.per_minute": self.errors.per_minute}
        metrics["alerts"] = float(self.alerts_open)
        statuses = [observation.status for observation in self.infrastructure.values()]
        if statuses:
            metrics["health"] = round(statuses.count(Status.UP) / len(statuses), 4)
        return metrics

    def measurements(self) -> Iterator[tuple[str, str, float]]:
        """Yield probe, name and value of each measurement."""
        for probe, observation in self.infrastructure.items():
            for name, value in observation.numbers.items():
                yield probe, name, value


def _status_rank(status: Status) -> int:
    return status.rank


def to_observation(component: str, reading: Reading, latencies: Sequence[float] = ()) -> ProbeObservation:
    """Make an observation of a reading. latencies: of the checks since the last snapshot, in ms."""
    return ProbeObservation(
        status=reading.status,
        component=component,
        detail=reading.detail,
        latency_ms=reading.latency_ms,
        p95_ms=percentile(latencies, 0.95),
        p99_ms=percentile(latencies, 0.99),
        code=reading.code,
        data={name: value for name, value in reading.data.items() if value is not None},
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share of all do not exceed; None for fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - of one value it would only repeat it
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def roll_up_snapshots(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Roll snapshots in order up into one: the worst status, the median numbers, the sum of the errors.

    Raises ValueError for no snapshots.
    """
    if not snapshots:
        msg = "nothing to roll up"
        raise ValueError(msg)
    first, last = snapshots[0], snapshots[-1]
    span_s = (last.taken_at - first.taken_at).total_seconds() + first.errors.seconds
    names = dict.fromkeys(name for snapshot in snapshots for name in snapshot.infrastructure)
    return last.model_copy(
        update={
            "infrastructure": {
                name: _roll_up_observations(
                    [
                        snapshot.infrastructure[name]
                        for snapshot in snapshots
                        if name in snapshot.infrastructure
                    ]
                )
                for name in names
            },
            "errors": _sum_errors([snapshot.errors for snapshot in snapshots], span_s),
            "alerts_open": max(snapshot.alerts_open for snapshot in snapshots),
            "critical_open": max(snapshot.critical_open for snapshot in snapshots),
        }
    )


def _roll_up_observations(observations: Sequence[ProbeObservation]) -> ProbeObservation:
    worst = max(observations, key=lambda observation: observation.status.rank)
    names = dict.fromkeys(name for observation in observations for name in observation.data)
    return worst.model_copy(
        update={
            "latency_ms": _median_or_none(observation.latency_ms for observation in observations),
            "p95_ms": _max_or_none(observation.p95_ms for observation in observations),
            "p99_ms": _max_or_none(observation.p99_ms for observation in observations),
            "data": {
                name: _median_or_last([observation.data.get(name) for observation in observations])
                for name in names
            },
        }
    )


def _median_or_none(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return round(median(present), 3) if present else None


def _max_or_none(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _median_or_last(values: Sequence[Scalar | None]) -> Scalar | None:
    """Return the median of numbers, or the last of other values."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if is_number(value)]
    if numbers and len(numbers) == len(present):
        return median(numbers)
    return present[-1] if present else None


def _sum_errors(summaries: Sequence[ErrorSummary], span_s: float) -> ErrorSummary:
    """Sum up summaries. span_s: seconds that they cover together; overlaps count once."""
    top: Counter[str] = Counter()
    for summary in summaries:
        top.update(dict(summary.top))
    covered_s = sum(summary.seconds for summary in summaries)
    share = min(1.0, span_s / covered_s) if covered_s > 0 else 1.0
    return ErrorSummary(
        seconds=round(covered_s * share, 3),
        critical=round(share * sum(summary.critical for summary in summaries)),
        warning=round(share * sum(summary.warning for summary in summaries)),
        info=round(share * sum(summary.info for summary in summaries)),
        top=tuple((code, round(share * count)) for code, count in top.most_common(MAX_TOP_CODES)),
        new=tuple(dict.fromkeys(code for summary in summaries for code in summary.new))[:MAX_LISTED],
    )


def snapshot_fact(snapshot: Snapshot) -> Fact:
    """Build the fact by which rules decide whether a snapshot is a good state."""
    statuses = [observation.status for observation in snapshot.infrastructure.values()]
    return SnapshotFact(
        id="snapshot",
        probes=len(statuses),
        up=statuses.count(Status.UP),
        degraded=statuses.count(Status.DEGRADED),
        down=statuses.count(Status.DOWN),
        alerts=snapshot.alerts_open,
        critical=snapshot.critical_open,
        errors=snapshot.errors.total,
        errors_per_minute=snapshot.errors.per_minute,
    ).to_fact()
