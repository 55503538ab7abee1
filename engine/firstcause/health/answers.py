"""The types of answers about health.

The API's schema is made of them. Their fields are those of the contract, in its order. `serializers.py`
builds the answers.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from firstcause.core.health.comparison import AssessedDifference
from firstcause.core.model import Frozen, Scalar, Severity, Status
from firstcause.core.selfcheck.serializers import ConditionAnswer
from firstcause.core.text.timestamps import FormattedTime

HealthStatus = Status | Literal["UNKNOWN"]
"""UNKNOWN: nothing was checked."""


class PartialAnswer(Frozen):
    """Base of answers that leave out what they have nothing of: their fields with a default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class ObservationAnswer(PartialAnswer):
    """What a probe observed. code: the error that this is; data: measurements and texts."""

    status: Status
    component: str
    latency_ms: float | None
    detail: str
    code: str | SkipJsonSchema[None] = None
    data: dict[str, Scalar | None] = Field(default_factory=dict)


class ProbeAnswer(PartialAnswer):
    """What one probe observed when it was run. The same fields as in `infrastructure`, and its name."""

    name: str
    status: Status
    component: str
    latency_ms: float | None
    detail: str
    code: str | SkipJsonSchema[None] = None
    data: dict[str, Scalar | None] = Field(default_factory=dict)


class HealthAnswer(Frozen):
    """The last full check. infrastructure: by probe. The times and ids are None where there was no check."""

    status: HealthStatus
    infrastructure: dict[str, ObservationAnswer]
    snapshot_id: str | None
    checked_at: FormattedTime | None


class ComparisonAnswer(Frozen):
    """The comparison with the last known good state.

    last_known_good: id of the snapshot; None where no state is known to be good.
    time_since_last_good: minutes.
    """

    is_regression: bool
    regressions: tuple[AssessedDifference, ...]
    changes: tuple[AssessedDifference, ...]
    last_known_good: str | None
    time_since_last_good: float | None
    suggested_rollback: str | None
    message: str


class CheckAnswer(HealthAnswer):
    """A health check. snapshot_id: None where not all probes ran. conditions: of firstcause itself."""

    comparison: ComparisonAnswer
    time_since_last_good: float | None
    last_known_good: str | None
    last_known_good_at: FormattedTime | None
    message: str
    conditions: tuple[ConditionAnswer, ...]


class DiffAnswer(Frozen):
    """The comparison of two snapshots. before, after: their ids."""

    before: str
    after: str
    is_regression: bool
    regressions: tuple[AssessedDifference, ...]
    changes: tuple[AssessedDifference, ...]
    suggested_rollback: str | None
    message: str


class SnapshotRow(Frozen):
    """A snapshot in a list.

    good: why it is a good state; None where it is not known to be one.
    last_known_good: whether it is the last known good state.
    """

    id: str
    taken_at: FormattedTime
    status: HealthStatus
    good: str | None
    pinned_by: str | None
    pinned_at: FormattedTime | None
    last_known_good: bool


class SnapshotList(Frozen):
    """Snapshots, the latest first."""

    snapshots: tuple[SnapshotRow, ...]


class CodeCount(Frozen):
    """Occurrences of an error code."""

    code: str
    count: int


class ErrorsAnswer(Frozen):
    """The errors of a period. seconds: its length. top: the most frequent codes. new: codes first seen."""

    seconds: float
    critical: int
    warning: int
    info: int
    per_minute: float
    top: tuple[CodeCount, ...]
    new: tuple[str, ...]


class LatencyAnswer(Frozen):
    """Latencies of a probe in milliseconds; None where there were too few checks."""

    latency_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class ActiveAlertAnswer(PartialAnswer):
    """An alert that was active."""

    code: str
    severity: Severity
    service: str | SkipJsonSchema[None] = None
    tenant: str | SkipJsonSchema[None] = None
    count: int


class SnapshotAnswer(SnapshotRow):
    """A whole snapshot.

    data: counts by `PROBE.MEASUREMENT`. performance: by probe.
    configuration: by variable `present`, `absent` or a checksum.
    alerts: the first of `alerts_open` alerts.
    """

    infrastructure: dict[str, ObservationAnswer]
    data: dict[str, float]
    errors: ErrorsAnswer
    performance: dict[str, LatencyAnswer]
    configuration: dict[str, str]
    alerts: tuple[ActiveAlertAnswer, ...]
    alerts_open: int
    critical_open: int


class PointAnswer(Frozen):
    """A value at a time."""

    time: FormattedTime
    value: float


class TrendAnswer(Frozen):
    """A metric over time. Without points numbers are None; with few points the trend is.

    minutes: how far back. per_hour: slope. chance: 0 to 1, how likely such a trend is by chance.
    """

    metric: str
    minutes: float
    points: tuple[PointAnswer, ...]
    count: int
    min: float | None
    median: float | None
    p95: float | None
    max: float | None
    last: float | None
    direction: Literal["up", "down", "flat"] | None
    per_hour: float | None
    chance: float | None


class ForecastAnswer(Frozen):
    """When a metric reaches a limit. reached_at: None where the metric has no trend towards the limit.

    count: points. value: the last of them. earliest, latest: 8 times of 10 between them.
    """

    metric: str
    limit: float
    count: int
    value: float | None
    per_hour: float | None
    reached_at: FormattedTime | None
    earliest: FormattedTime | None
    latest: FormattedTime | None
    confidence: float | None
    evidence: str
