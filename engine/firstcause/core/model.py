"""The nouns: values that pass from one step to the next. All frozen; all JSON by pydantic."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from firstcause.core.sanitize import single_line

ForeignLine = Annotated[str, AfterValidator(single_line)]
"""Text from outside that is shown on one line; what could act on a terminal or forge a line is gone."""

Scalar = str | int | float | bool
FactValue = Scalar | None | list[str]
Fact = dict[str, FactValue]
"""What a rule sees: `kind`, a unique `id`, and the fields that docs/rules.md lists for that kind."""


class Frozen(BaseModel):
    """Base of every value: immutable, and an unknown field is an error."""

    # What is serialized has every field, so the schemas of answers say that defaults are required too.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Severity(StrEnum):
    """How bad one error is in itself; ordered by `rank`, 0 the mildest."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        return _SEVERITY_RANKS[self]

    @classmethod
    def _missing_(cls, value: object) -> Severity | None:
        """Any case, and the names that loggers and other systems use for the same three."""
        return SEVERITY_NAMES.get(_normalize_severity(value)) if isinstance(value, str) else None

    @classmethod
    def from_word(cls, word: object) -> Severity | None:
        """Map a sender's word. None for an unknown one, and for `error`: there the catalog decides."""
        name = _normalize_severity(word) if isinstance(word, str) else ""
        return None if name in _ERROR_NAMES else SEVERITY_NAMES.get(name)


_SEVERITY_RANKS = {severity: rank for rank, severity in enumerate(Severity)}

_ERROR_NAMES = frozenset({"ERR", "ERROR", "SEVERE"})
"""The level that loggers give to nearly every error. SEVERE is what java.util.logging calls it."""

SEVERITY_NAMES = {
    **dict.fromkeys(("TRACE", "VERBOSE", "DEBUG", "LOG", "NOTICE", "NONE"), Severity.INFO),
    **dict.fromkeys(
        ("INFO", "INFORMATION", "INFORMATIONAL", "LOW", "P4", "P5", "SEV4", "SEV5"), Severity.INFO
    ),
    **dict.fromkeys(_ERROR_NAMES, Severity.WARNING),
    **dict.fromkeys(
        ("WARN", "WARNING", "AVERAGE", "MEDIUM", "MINOR", "MODERATE", "TICKET"), Severity.WARNING
    ),
    **dict.fromkeys(("P2", "P3", "SEV2", "SEV3"), Severity.WARNING),
    **dict.fromkeys(("CRIT", "CRITICAL", "FATAL", "ALERT", "ALARM", "EMERG", "EMERGENCY"), Severity.CRITICAL),
    **dict.fromkeys(("PANIC", "DISASTER", "BLOCKER", "URGENT", "HIGH", "MAJOR", "PAGE"), Severity.CRITICAL),
    **dict.fromkeys(("P0", "P1", "SEV0", "SEV1"), Severity.CRITICAL),
}
"""What senders call the three, in capitals: loggers, syslog, OpenTelemetry, alert rules, incident tools."""

_NUMBERED_SEVERITY = re.compile(r"(?:(P)(?:RIORITY)?|(S)(?:EV(?:ERITY)?)?)[ _-]?(\d)")


def _normalize_severity(word: str) -> str:
    """Write `sev-1`, `S1` and `Severity 1` as SEV1, and `Priority 1` as P1."""
    name = word.strip().upper()
    numbered = _NUMBERED_SEVERITY.fullmatch(name)
    return f"{'P' if numbered[1] else 'SEV'}{numbered[3]}" if numbered else name


class Status(StrEnum):
    """How a component is; ordered by `rank`, 0 the best."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"

    @property
    def rank(self) -> int:
        return list(Status).index(self)


class Category(StrEnum):
    """What area an error belongs to, in the seed's words."""

    INFRASTRUCTURE = "INFRASTRUCTURE"
    EXTERNAL_SERVICE = "EXTERNAL_SERVICE"
    COMPANY_CONFIG = "COMPANY_CONFIG"
    SYSTEM = "SYSTEM"
    DATA = "DATA"


class Priority(StrEnum):
    """How fast a person must look: P0 now, P1 today's shift, P2 when there is time."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"

    @property
    def rank(self) -> int:
        """2 for P0, so that a higher rank is more urgent."""
        return 2 - list(Priority).index(self)


class Revenue(StrEnum):
    """What the error costs while it lasts."""

    NONE = "NONE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"

    @property
    def rank(self) -> int:
        return list(Revenue).index(self)


class TenantScope(StrEnum):
    """Which tenants an error hits."""

    NONE = "NONE"
    SPECIFIC = "SPECIFIC"
    ALL = "ALL"

    @property
    def rank(self) -> int:
        return list(TenantScope).index(self)


class Impact(Frozen):
    """Whom and what an error hits.

    companies: the tenants that really reported, sorted. companies_known: how many ever reported anything.
    components: where in the system its alerts are, sorted.
    """

    priority: Priority = Priority.P2
    revenue: Revenue = Revenue.NONE
    features: tuple[str, ...] = ()
    tenants: TenantScope = TenantScope.NONE
    customer_facing: bool = False
    companies: tuple[str, ...] = ()
    companies_known: int = 0
    components: tuple[str, ...] = ()


class Source(Frozen):
    """Where in the application's code an error was raised."""

    file: str | None = None
    line: int | None = None
    function: str | None = None
    query: str | None = None


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Time = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An instant, always UTC."""


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Name = Annotated[str, Field(max_length=200)]
MaybeName = Annotated[Name | None, BeforeValidator(_blank_is_none)]


DEFAULT_GROUPING = "{{ default }}"
"""In `Event.grouping`: what firstcause itself tells errors apart by. Sentry's spelling."""


class Event(Frozen):
    """One occurrence of an error, as a sender told it and after masking.

    id: unique to the occurrence; the same id twice is the same occurrence.
    time: when it happened, by the sender's clock.
    sent_at: when the sender sent it, by the same clock; intake corrects `time` by it. None if not said.
    severity: None where the sender said nothing; the catalog then decides.
    labels: what tells apart the parts of one alert, such as the instance; each part ends for itself.
    resolved: the sender says that this error is over.
    announces_end: the sender reports a state: it repeats the report while the state lasts, and says when it
        is over. `time` is then when the state began, and no report of it comes too late.
    reports_end: the sender reports the end too, and may report nothing until then. `time` is when that
        happened which is reported.
    expires_at: when it is over, unless the sender repeats it before. None if the sender says no such thing.
    probe: the name of the probe that found it, None for anybody else's report.
    ends_alert, ends_part: fingerprint of the alert, and key of its part, that firstcause itself ends; without
        a key all of it. Both None for anybody else's report.
    drill: it did not happen; it is to see whether the phone rings.
    grouping: what tells this error apart, if its sender says so (Sentry's fingerprint). DEFAULT_GROUPING in
        it stands for what firstcause itself tells errors apart by. Empty means that alone.
    """

    id: str
    time: Time
    code: MaybeName = None
    message: str | None = None
    severity: Severity | None = None
    tenant: MaybeName = None
    service: MaybeName = None
    details: dict[str, Any] = Field(default_factory=dict)
    source: Source | None = None
    stack: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    resolved: bool = False
    announces_end: bool = False
    reports_end: bool = False
    expires_at: Time | None = None
    sent_at: Time | None = None
    probe: str | None = None
    ends_alert: str | None = None
    ends_part: str | None = None
    drill: bool = False
    grouping: tuple[str, ...] = ()


class Sample(Frozen):
    """The latest occurrence's particulars, kept once an alert and shown in the debug report.

    likeness: where only the message's words spoke for its code, how much they did, 0 to 1.
    """

    message: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    source: Source | None = None
    stack: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    likeness: float | None = None


class VerdictKind(StrEnum):
    """What a rule may conclude."""

    ROOT_CAUSE = "root_cause"
    CASCADE = "cascade"
    IMPACT = "impact"
    SUPPRESS = "suppress"
    REGRESSION = "regression"
    PREDICT = "predict"
    KNOWN_GOOD = "known_good"


class RaisedError(Frozen):
    """The error code of a finding that is not an alert. rollback: what to put back, in words."""

    code: str
    severity: Severity
    rollback: str | None = None


class Verdict(Frozen):
    """What one rule concluded of one fact, and from what.

    of, by: ids of facts, an alert's being its fingerprint; by is the cause, for a cascade only.
    because: the reason, filled in. confidence: 0 to 1. priority: the rule's, higher wins.
    across_tenants: of is a platform alert, by may be that of a tenant.
    facts: the facts that matched, by their names in the rule.
    """

    rule: str
    file: str
    line: int
    verdict: VerdictKind
    of: str
    because: str
    by: str | None = None
    confidence: float = 1.0
    priority: int = 0
    across_tenants: bool = False
    impact: Impact | None = None
    raises: RaisedError | None = None
    facts: dict[str, Fact] = Field(default_factory=dict)

    @property
    def fact_id(self) -> str:
        """The id of the fact that this verdict is to later rules."""
        return ":".join(("verdict", self.rule, self.verdict, self.of, self.by or ""))


class Role(StrEnum):
    """What an alert is within its incident."""

    ROOT = "root"
    CASCADE = "cascade"


def _require_row(stored_id: int | None) -> int:
    if stored_id is None:
        raise ValueError("it is not stored yet, so it has no row")
    return stored_id


class AlertPart(Frozen):
    """The occurrences of an alert that have the same labels, such as those of one instance.

    labels: what tells this part from the others, empty for occurrences without any.
    first_seen, last_seen: when it happened, by the sender's clock. received_at: when something of it last
        arrived, by our own. resolved_at: by our own clock, None while it is active.
    ended_at: the end that its sender reported, by the sender's clock.
    announces_end: whether the sender of its latest event says the end itself. expires_at: of that event.
    """

    labels: dict[str, str] = Field(default_factory=dict)
    count: int
    first_seen: Time
    last_seen: Time
    received_at: Time
    resolved_at: Time | None = None
    ended_at: Time | None = None
    announces_end: bool = False
    expires_at: Time | None = None


class FoldedPart(Frozen):
    """An active part of which only this is kept, as its alert has too many parts."""

    received_at: Time
    announces_end: bool = False
    expires_at: Time | None = None


class AlertParts(Frozen):
    """The parts of an alert; none if all its occurrences are without labels.

    shown: in the order in which they began. folded: further active parts, by the keys of their labels.
    """

    shown: tuple[AlertPart, ...] = ()
    folded: dict[str, FoldedPart] = Field(default_factory=dict)

    @property
    def active_count(self) -> int:
        """How many parts are active."""
        return len(self.folded) + sum(part.resolved_at is None for part in self.shown)


class Alert(Frozen):
    """All occurrences of one fingerprint (code, tenant, service) from first report to resolution.

    fault: the same for all tenants and services that report the same error.
    first_seen, last_seen: when it happened, by the sender's clock.
    received_at: when something of it last arrived, by our own clock; None means at last_seen.
    clock_skew: seconds that the sender's clock is behind ours, as far as its events show; None if unknown.
    ended_at: the end that its sender reported, by the sender's clock; None if somebody else ended it.
    caused_by: fingerprint of the alert that causes this one, None for a root.
    opened_at: by our own clock.
    parts: what the alert consists of, each of which ends for itself.
    kinds: of one that stands for errors of too many kinds, which (see core.grouping.overflow).
    drill: it is none. stored_id: the row, None while it has none.
    """

    fingerprint: str
    fault: str
    code: str
    catalogued: bool
    title: str
    severity: Severity
    first_seen: Time
    last_seen: Time
    count: int
    component: str | None = None
    tenant: str | None = None
    service: str | None = None
    probe: str | None = None
    resolved_at: Time | None = None
    caused_by: str | None = None
    role: Role = Role.ROOT
    opened_at: Time | None = None
    kinds: str | None = None
    received_at: Time | None = None
    clock_skew: float | None = None
    ended_at: Time | None = None
    parts: AlertParts = AlertParts()
    sample: Sample | None = None
    verdicts: tuple[Verdict, ...] = ()
    drill: bool = False
    stored_id: int | None = None
    incident_id: int | None = None

    @property
    def active(self) -> bool:
        return self.resolved_at is None

    @property
    def last_arrival(self) -> datetime:
        """When something of it last arrived, by our own clock."""
        return self.received_at or self.last_seen

    @property
    def row_id(self) -> int:
        """The row of one that is stored; ValueError where it has none yet."""
        return _require_row(self.stored_id)


class IncidentStatus(StrEnum):
    """Where an incident is in its life; merged ones live on in another."""

    OPEN = "open"
    RESOLVED = "resolved"
    MERGED = "merged"


class Root(Frozen):
    """What an incident's cause is; tenant and service are None where several are hit."""

    code: str
    service: str | None = None
    tenant: str | None = None


class Transition(Frozen):
    """The moment at which the root of an incident began or ended. firing: whether it began."""

    at: Time
    firing: bool


class Flapping(Frozen):
    """How an incident flaps.

    times: how often its root began since `since`. last_onset: when it last began.
    period_s: seconds from one beginning to the next, typically. on_s: seconds that the root lasts, typically.
    """

    since: Time
    times: int
    last_onset: Time
    period_s: float
    on_s: float


class Incident(Frozen):
    """A root cause and its cascades, from the first alert until resolved.

    suppressed: by a rule. drill: a test alert, to see whether the phone rings.
    transitions: the newest ones, in order. flapping: how it flaps, or flapped until it was resolved; None
        while it does not. An incident that flaps stays open while its root is away for a moment.
    root_verdict: the strongest one that named its root as the cause since it was opened; None if none did.
    """

    fault: str
    root: Root
    title: str
    priority: Priority
    severity: Severity
    impact: Impact
    opened_at: Time
    status: IncidentStatus = IncidentStatus.OPEN
    resolved_at: Time | None = None
    fix: str | None = None
    suppressed: bool = False
    acknowledged_at: Time | None = None
    acknowledged_by: str | None = None
    drill: bool = False
    transitions: tuple[Transition, ...] = ()
    flapping: Flapping | None = None
    root_verdict: Verdict | None = None
    stored_id: int | None = None

    @property
    def row_id(self) -> int:
        """The row of one that is stored; ValueError where it has none yet."""
        return _require_row(self.stored_id)

    @property
    def is_paused(self) -> bool:
        """Whether it flaps and its root is away for the moment."""
        return self.flapping is not None and bool(self.transitions) and not self.transitions[-1].firing
