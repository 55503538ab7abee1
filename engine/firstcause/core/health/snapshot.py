"""How everything was at one moment: what probes saw, what failed, what was set. Of several, one for all."""

from __future__ import annotations

from collections import Counter
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, TypeGuard

from pydantic import Field

from firstcause.core.model import Fact, Frozen, Reading, Scalar, Severity, Status, Time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TOP = 5
"""How many of the most frequent errors a snapshot keeps."""

LISTED = 50
"""How many active alerts and new errors a snapshot names at most."""

COUNT = "count"
"""The unit, at the end of a name, of how many there are of something."""

MILLISECONDS = "_ms"

PRESENT, ABSENT = "present", "absent"


class Observed(Frozen):
    """What one probe saw. latency_ms: of its last check; p95_ms, p99_ms: of all since the snapshot before."""

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
        """Its measurements by name, the unit at the end of each name."""
        timed = {"latency_ms": self.latency_ms, "p95_ms": self.p95_ms, "p99_ms": self.p99_ms}
        given = {**self.data, **timed}
        return {name: float(value) for name, value in given.items() if is_number(value)}

    @property
    def words(self) -> dict[str, str]:
        """What it read that is no measurement: versions, commits, checksums."""
        return {name: value for name, value in self.data.items() if isinstance(value, str)}


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a measurement; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Errors(Frozen):
    """What was reported within so many seconds. top: the most frequent codes, with their number.

    new: codes that had never been seen up to the last known good state, or to the snapshot before.
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


class Active(Frozen):
    """An alert that was active."""

    code: str
    severity: Severity
    service: str | None = None
    tenant: str | None = None
    count: int = 1


class Snapshot(Frozen):
    """Everything at one moment. configuration: name -> `present`, `absent`, or a checksum; never a value.

    alerts: the first LISTED of alerts_open. since: of what differs from the last known good state, by the
    difference's key, when that was first seen.
    """

    taken_at: Time
    infrastructure: dict[str, Observed] = Field(default_factory=dict)
    errors: Errors = Field(default_factory=Errors)
    configuration: dict[str, str] = Field(default_factory=dict)
    alerts: tuple[Active, ...] = ()
    alerts_open: int = 0
    critical_open: int = 0
    since: dict[str, Time] = Field(default_factory=dict)

    @property
    def status(self) -> Status | None:
        """The worst that a probe saw, None where none looked."""
        return max((each.status for each in self.infrastructure.values()), key=_rank, default=None)

    @property
    def metrics(self) -> dict[str, float]:
        """Every number, as `trend` calls it: `PROBE.MEASUREMENT`, `errors`, `alerts`, `health`."""
        found = {f"{probe}.{name}": value for probe, name, value in self.measurements()}
        for severity in Severity:
            found[f"errors.{severity.lower()}"] = float(getattr(self.errors, severity.lower()))
        found |= {"errors": float(self.errors.total), "errors.per_minute": self.errors.per_minute}
        found["alerts"] = float(self.alerts_open)
        seen = [each.status for each in self.infrastructure.values()]
        if seen:
            found["health"] = round(seen.count(Status.UP) / len(seen), 4)
        return found

    def measurements(self) -> Iterator[tuple[str, str, float]]:
        """Probe, name and value of each number that a probe gave."""
        for probe, observed in self.infrastructure.items():
            for name, value in observed.numbers.items():
                yield probe, name, value


def _rank(status: Status) -> int:
    return status.rank


def observed(component: str, reading: Reading, latencies: Sequence[float] = ()) -> Observed:
    """A reading as snapshots keep it. latencies: milliseconds of the checks since the snapshot before."""
    return Observed(
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
    """The smallest value that at least this share of all do not exceed; None of fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - of one value it would only repeat it
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def rolled(several: Sequence[Snapshot]) -> Snapshot:
    """One snapshot for several in order: the worst status, the usual number, the sum of the errors.

    ValueError where there is none.
    """
    if not several:
        msg = "nothing to roll up"
        raise ValueError(msg)
    first, last = several[0], several[-1]
    span = (last.taken_at - first.taken_at).total_seconds() + first.errors.seconds
    names = dict.fromkeys(name for each in several for name in each.infrastructure)
    return last.model_copy(
        update={
            "infrastructure": {
                name: _rolled([each.infrastructure[name] for each in several if name in each.infrastructure])
                for name in names
            },
            "errors": _summed([each.errors for each in several], span),
            "alerts_open": max(each.alerts_open for each in several),
            "critical_open": max(each.critical_open for each in several),
        }
    )


def _rolled(several: Sequence[Observed]) -> Observed:
    worst = max(several, key=lambda each: each.status.rank)
    names = dict.fromkeys(name for each in several for name in each.data)
    return worst.model_copy(
        update={
            "latency_ms": _usual(each.latency_ms for each in several),
            "p95_ms": _most(each.p95_ms for each in several),
            "p99_ms": _most(each.p99_ms for each in several),
            "data": {name: _kept([each.data.get(name) for each in several]) for name in names},
        }
    )


def _usual(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 3) if known else None


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _kept(values: Sequence[Scalar | None]) -> Scalar | None:
    """The median of numbers, the last of anything else."""
    known = [value for value in values if value is not None]
    numbers = [value for value in known if is_number(value)]
    if numbers and len(numbers) == len(known):
        return median(numbers)
    return known[-1] if known else None


def _summed(several: Sequence[Errors], span: float) -> Errors:
    """span: seconds that they cover together; what overlaps is not counted twice."""
    top: Counter[str] = Counter()
    for each in several:
        top.update(dict(each.top))
    covered = sum(each.seconds for each in several)
    share = min(1.0, span / covered) if covered > 0 else 1.0
    return Errors(
        seconds=round(covered * share, 3),
        critical=round(share * sum(each.critical for each in several)),
        warning=round(share * sum(each.warning for each in several)),
        info=round(share * sum(each.info for each in several)),
        top=tuple((code, round(share * number)) for code, number in top.most_common(TOP)),
        new=tuple(dict.fromkeys(code for each in several for code in each.new))[:LISTED],
    )


def snapshot_fact(snapshot: Snapshot) -> Fact:
    """What rules see of a snapshot when they say whether it is a good state."""
    seen = [each.status for each in snapshot.infrastructure.values()]
    return {
        "kind": "snapshot",
        "id": "snapshot",
        "probes": len(seen),
        "up": seen.count(Status.UP),
        "degraded": seen.count(Status.DEGRADED),
        "down": seen.count(Status.DOWN),
        "alerts": snapshot.alerts_open,
        "critical": snapshot.critical_open,
        "errors": snapshot.errors.total,
        "errors_per_minute": snapshot.errors.per_minute,
    }
