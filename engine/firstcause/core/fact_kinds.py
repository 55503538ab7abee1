"""The kinds of facts that rules see: one class a kind, its fields typed and described.

Facts are built by these classes. What rule files may ask of a fact, the JSON Schema for editors and the
reference in docs/rules.md are made from them, so a field is written down in this file only.
"""

# Annotations are evaluated here, since the reference is made from them.

from dataclasses import dataclass
from typing import Annotated, Literal

from firstcause.core.model import (
    Category,
    Fact,
    Priority,
    Revenue,
    Scalar,
    Severity,
    Status,
    TenantScope,
    VerdictKind,
)
from firstcause.core.typed_fact import Doc, TypedFact

DifferenceCategory = Literal[
    "environment",
    "configuration",
    "deployment",
    "infrastructure",
    "error_rate",
    "error_type",
    "data",
    "performance",
    "metric",
    "unusual",
    "extreme",
]


@dataclass(frozen=True, kw_only=True)
class AlertFact(TypedFact):
    """An active error."""

    kind = "alert"
    about = (
        "One for each active error. The last six fields are those of the error's catalog entry, "
        "and an error without an entry has none of them. The latest event's details, tags and labels are "
        "fields with dots: `details.region`, `details.db.host`, `tags.owner`, `labels.instance`."
    )
    closed = True
    open_prefixes = ("details.", "tags.", "labels.")

    state: Annotated[Literal["active"], Doc("always `active`")] = "active"
    code: Annotated[str, Doc("error code", is_code=True)]
    title: Annotated[str, Doc("of the catalog entry, or made from the message")]
    severity: Annotated[Severity, Doc("the highest that was reported")]
    catalogued: Annotated[bool, Doc("whether the catalog has an entry for the code")]
    count: Annotated[int, Doc("events so far")]
    parts: Annotated[int, Doc("active parts, such as instances; 1 where labels tell none apart")] = 1
    tenants_hit: Annotated[int, Doc("how many tenants have this error")]
    age_s: Annotated[float, Doc("seconds since the first event")]
    quiet_s: Annotated[float, Doc("seconds since the latest event")] = 0.0
    host: Annotated[str | None, Doc("the host, by the event's labels, tags or details")] = None
    environment: Annotated[str | None, Doc("the environment, such as production, from the same")] = None
    release: Annotated[str | None, Doc("the release or version, from the same")] = None
    tenant: Annotated[str | None, Doc("none where it is the platform's")] = None
    service: Annotated[str | None, Doc("the service that reported it")] = None
    component: Annotated[str | None, Doc("the component of the catalog entry, or of the probe")] = None
    probe: Annotated[str | None, Doc("the probe that found it")] = None
    message: Annotated[str | None, Doc("of the latest event")] = None
    component_features: Annotated[
        list[str] | None, Doc("`features` of all entries of the service, or else of the component")
    ] = None
    category: Annotated[Category | None, Doc("of the entry")] = None
    customer_facing: Annotated[bool | None, Doc("whether customers notice")] = None
    priority: Annotated[Priority | None, Doc("of the entry's impact")] = None
    revenue: Annotated[Revenue | None, Doc("of the entry's impact")] = None
    tenants: Annotated[TenantScope | None, Doc("of the entry's impact")] = None
    features: Annotated[list[str] | None, Doc("of the entry's impact")] = None


@dataclass(frozen=True, kw_only=True)
class EdgeFact(TypedFact):
    """A pair of active alerts, of which the catalog says that one may cause the other."""

    kind = "edge"
    about = (
        "One for each pair of active alerts of which one may cause the other by the catalog. "
        "A tenant's error never causes another tenant's error."
    )
    closed = True

    cause: Annotated[str, Doc("`id` of the alert that may be the cause")]
    effect: Annotated[str, Doc("`id` of the alert that may follow from it")]
    cause_code: Annotated[str, Doc("code of the cause", is_code=True)]
    effect_code: Annotated[str, Doc("code of the effect", is_code=True)]
    hops: Annotated[int, Doc("steps from cause to effect in the catalog's graph")]
    best: Annotated[bool, Doc("whether this is the most likely cause of the effect")]
    scope: Annotated[Literal["platform", "tenant"], Doc("whose error the cause is")]
    lag_s: Annotated[float, Doc("seconds from the cause's first event to the effect's")]


@dataclass(frozen=True, kw_only=True)
class EnvFact(TypedFact):
    """An environment variable."""

    kind = "env"
    about = "One for each environment variable that a `fix` names. Its value is never part of a fact."
    closed = True

    name: Annotated[str, Doc("name of the variable")]
    present: Annotated[bool, Doc("whether it is set")]


@dataclass(frozen=True, kw_only=True)
class ReadingFact(TypedFact):
    """The last result of a probe."""

    kind = "reading"
    about = "The last result of each probe."

    probe: Annotated[str, Doc("name of the probe")]
    component: Annotated[str, Doc("the component that it checks")]
    status: Annotated[Status, Doc("what it found")]
    detail: Annotated[str, Doc("what it found, in words")]
    latency_ms: Annotated[float | None, Doc("how long the check took, in milliseconds")] = None


@dataclass(frozen=True, kw_only=True)
class MetricFact(TypedFact):
    """A number that a probe measured."""

    kind = "metric"
    about = "One for each number among a reading's data."

    name: Annotated[str, Doc("name of the measurement")]
    probe: Annotated[str, Doc("name of the probe")]
    component: Annotated[str, Doc("the component that it checks")]
    value: Annotated[float, Doc("the number")]


@dataclass(frozen=True, kw_only=True)
class ChangeFact(TypedFact):
    """A recent change."""

    kind = "change"
    about = "One for each setting, probe or release that changed within the last hour."

    category: Annotated[
        Literal["environment", "configuration", "infrastructure", "deployment"], Doc("what changed")
    ]
    name: Annotated[str, Doc("the setting or the probe; of a release `SERVICE.release`")]
    before: Annotated[str, Doc("`present` or `absent`, a status, a version, a release")]
    after: Annotated[str, Doc("the same, after the change")]
    age_s: Annotated[float, Doc("seconds since the change")]
    component: Annotated[str | None, Doc("its component; of a release the service")] = None


@dataclass(frozen=True, kw_only=True)
class TenantFact(TypedFact):
    """A tenant with active errors."""

    kind = "tenant"
    about = (
        "One for each tenant with active errors. Rules about a tenant's errors see that tenant, "
        "rules about the platform's errors see all."
    )
    closed = True

    name: Annotated[str, Doc("the tenant")]
    alerts: Annotated[int, Doc("how many active alerts it has")]
    codes: Annotated[int, Doc("how many different codes these have")]
    critical: Annotated[int, Doc("how many of the alerts are critical")]


@dataclass(frozen=True, kw_only=True)
class HistoryFact(TypedFact):
    """The past of an active error's code."""

    kind = "history"
    about = (
        "What the store knows of the code of an active error; "
        "there is none for a code that was never seen before."
    )
    closed = True

    code: Annotated[str, Doc("error code", is_code=True)]
    seen: Annotated[int, Doc("events ever")]
    known_s: Annotated[float, Doc("seconds since the first event ever")]
    incidents: Annotated[int, Doc("resolved incidents of which it was the root")]
    last_fix: Annotated[str | None, Doc("what fixed the latest of these")] = None
    resolved_s: Annotated[float | None, Doc("seconds since the latest of these was resolved")] = None


@dataclass(frozen=True, kw_only=True)
class SuspectFact(TypedFact):
    """A component that may be the root of a storm."""

    kind = "suspect"
    about = (
        "A component that may be the root of the alerts in the graph of components, "
        "up to five for each storm."
    )
    closed = True

    component: Annotated[str, Doc("the component")]
    chosen: Annotated[bool, Doc("whether it is taken as the root")]
    rank: Annotated[int, Doc("1 is the most likely")]
    confidence: Annotated[float, Doc("0 to 1")]
    silent: Annotated[bool, Doc("whether it has no alert of its own")]
    explains: Annotated[int, Doc("how many alerts it explains")]
    callers: Annotated[int, Doc("how many components call it")]
    callers_failing: Annotated[int, Doc("how many of these have alerts")]
    for_: Annotated[str, Doc("the reasons for it, in words")]
    against: Annotated[str, Doc("the reasons against it, in words")]
    alert: Annotated[str | None, Doc("of the chosen one, `id` of the alert that stands for it")] = None

    def to_fact(self) -> Fact:
        """Return the fact as rules see it: `for` is a keyword of Python, so the attribute is `for_`."""
        return {name.rstrip("_"): value for name, value in super().to_fact().items()}


@dataclass(frozen=True, kw_only=True)
class LinkFact(TypedFact):
    """From a storm's root to another alert of the storm."""

    kind = "link"
    about = "One from the alert of a chosen suspect to each other alert of its storm."
    closed = True

    cause: Annotated[str, Doc("`id` of the suspect's alert")]
    effect: Annotated[str, Doc("`id` of the other alert")]
    cause_component: Annotated[str, Doc("component of the suspect")]
    effect_component: Annotated[str, Doc("component of the other alert")]
    relation: Annotated[
        Literal["explained", "beside"],
        Doc("`explained`: a fault of the suspect shows like that; `beside`: it only began with it"),
    ]
    signal: Annotated[str, Doc("signal of the other alert")]
    confidence: Annotated[float, Doc("of the suspect, 0 to 1")]
    codes_known: Annotated[bool, Doc("whether the catalog has both codes, so that its `causes` decide")]
    joins: Annotated[bool, Doc("whether the other alert needs no incident of its own")]


@dataclass(frozen=True, kw_only=True)
class PastRootFact(TypedFact):
    """A component that was the root of recent incidents."""

    kind = "past_root"
    about = "One for each component that was the root of incidents in the last 90 days."

    component: Annotated[str, Doc("the component")]
    incidents: Annotated[int, Doc("how many incidents")]


@dataclass(frozen=True, kw_only=True)
class DependencyFact(TypedFact):
    """One component calls another."""

    kind = "dependency"
    about = (
        "One for each call between components, from plugins or learned from errors that name the component "
        "that they called; like `depends_on` of a rule file."
    )

    component: Annotated[str, Doc("the caller")]
    on: Annotated[str, Doc("the component that it calls")]


@dataclass(frozen=True, kw_only=True)
class SymptomFact(TypedFact):
    """What users notice."""

    kind = "symptom"
    about = "From plugins: what users notice, and where."

    component: Annotated[str, Doc("where users notice it")]
    metric: Annotated[str, Doc("what they notice, such as latency")]


@dataclass(frozen=True, kw_only=True)
class VerdictFact(TypedFact):
    """What another rule concluded."""

    kind = "verdict"
    about = (
        "What another rule concluded. A rule that looks at verdicts runs after all rules that could give "
        "the verdicts that it looks for; rules that feed each other in a circle are a mistake."
    )
    closed = True

    verdict: Annotated[VerdictKind, Doc("the [verdict](#verdicts)")]
    rule: Annotated[str, Doc("`id` of the rule")]
    of: Annotated[str, Doc("`id` of the fact that it is about")]
    by: Annotated[str | None, Doc("of a cascade, `id` of the causing alert")] = None
    code: Annotated[str | None, Doc("code of the fact that it is about", is_code=True)] = None
    by_code: Annotated[str | None, Doc("code of the causing alert", is_code=True)] = None
    reason: Annotated[str, Doc("the reason, filled in")]
    confidence: Annotated[float, Doc("0 to 1")]
    priority: Annotated[int, Doc("of the rule")]


@dataclass(frozen=True, kw_only=True)
class ClockFact(TypedFact):
    """What time it is."""

    kind = "clock"
    about = (
        "One: the time in the zone of the threshold `clock_timezone`. Dates of the threshold "
        "`clock_holidays` are holidays. Rules see it move once a minute."
    )
    closed = True

    hour: Annotated[int, Doc("0 to 23")]
    minute: Annotated[int, Doc("0 to 59")]
    weekday: Annotated[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], Doc("the day")]
    date: Annotated[str, Doc("such as 2026-12-25")]
    timezone: Annotated[str, Doc("such as Europe/Berlin")]
    weekend: Annotated[bool, Doc("whether it is Saturday or Sunday")]
    holiday: Annotated[bool, Doc("whether the day is a holiday")]


@dataclass(frozen=True, kw_only=True)
class SilenceFact(TypedFact):
    """A person's silence that matches an active error."""

    kind = "silence"
    about = "One for each pair of an active error and a person's silence that matches it."

    silence: Annotated[str, Doc("number of the silence")]
    alert: Annotated[str, Doc("`id` of the alert")]
    code: Annotated[str, Doc("code of the alert", is_code=True)]
    tenant: Annotated[str | None, Doc("of the alert")] = None
    service: Annotated[str | None, Doc("of the alert")] = None
    component: Annotated[str | None, Doc("of the alert")] = None
    by: Annotated[str, Doc("the person")]
    comment: Annotated[str, Doc("the person's reason")]


@dataclass(frozen=True, kw_only=True)
class SnapshotFact(TypedFact):
    """The state of everything, while a snapshot is taken."""

    kind = "snapshot"
    about = "For `known_good`; only while a snapshot is taken. [Health](health.md) describes snapshots."
    closed = True

    probes: Annotated[int, Doc("how many probes there are")]
    up: Annotated[int, Doc("how many of these are UP")]
    degraded: Annotated[int, Doc("how many of these are DEGRADED")]
    down: Annotated[int, Doc("how many of these are DOWN")]
    alerts: Annotated[int, Doc("how many alerts are open")]
    critical: Annotated[int, Doc("how many of these are critical")]
    errors: Annotated[int, Doc("events in the last five minutes")]
    errors_per_minute: Annotated[float, Doc("the same per minute")]


@dataclass(frozen=True, kw_only=True)
class DifferenceFact(TypedFact):
    """A difference from the last known good state."""

    kind = "difference"
    about = "One for each difference from the last known good state."
    closed = True

    category: Annotated[DifferenceCategory, Doc("what differs; [Health](health.md) has one row for each")]
    component: Annotated[str | None, Doc("its component")] = None
    name: Annotated[str, Doc("the setting, the probe, the error code, or `PROBE.MEASUREMENT`")]
    before: Annotated[Scalar, Doc("its value in the last known good state")]
    after: Annotated[Scalar, Doc("its value now")]
    change: Annotated[float | None, Doc("of numbers, by how much it grew")] = None
    ratio: Annotated[float | None, Doc("of numbers, `after` by `before`; none where `before` was 0")] = None
    count: Annotated[int | None, Doc("of errors, how many")] = None
    code: Annotated[str | None, Doc("of errors, the most frequent code")] = None
    score: Annotated[
        float | None,
        Doc("how far a component is from its normal; of a number, how many of its ranges outside"),
    ] = None
    worse: Annotated[bool, Doc("whether a status is worse than before")]
    regression: Annotated[
        bool, Doc("whether a rule calls it a regression; only for rules that look at alerts")
    ]


@dataclass(frozen=True, kw_only=True)
class ForecastFact(TypedFact):
    """A number that reaches its limit by its trend."""

    kind = "forecast"
    about = "For `predict`: one for each number that reaches its limit; only while a snapshot is taken."
    closed = True

    metric: Annotated[str, Doc("the number, as `firstcause trend` calls it")]
    probe: Annotated[str, Doc("name of the probe")]
    component: Annotated[str, Doc("the component that it checks")]
    value: Annotated[float, Doc("its value now")]
    limit: Annotated[float, Doc("its limit")]
    per_hour: Annotated[float, Doc("by how much it grows in an hour")]
    in_s: Annotated[float, Doc("seconds until it reaches the limit")]
    earliest_s: Annotated[float, Doc("the earliest, by an interval of 80 %")]
    latest_s: Annotated[float | None, Doc("the latest, by the same interval; none where that is never")] = (
        None
    )
    evidence: Annotated[str, Doc("why, in a sentence")]


@dataclass(frozen=True, kw_only=True)
class DeployFact(TypedFact):
    """A deployment."""

    kind = "deploy"
    about = "From plugins: a deployment."

    service: Annotated[str, Doc("what was deployed")]
    version: Annotated[str, Doc("its version now")]
    before: Annotated[str | None, Doc("its version before")] = None
    age_s: Annotated[float, Doc("seconds since then")]


FACT_KINDS: tuple[type[TypedFact], ...] = (
    AlertFact,
    EdgeFact,
    EnvFact,
    ReadingFact,
    MetricFact,
    ChangeFact,
    TenantFact,
    HistoryFact,
    SuspectFact,
    LinkFact,
    PastRootFact,
    DependencyFact,
    SymptomFact,
    VerdictFact,
    ClockFact,
    SilenceFact,
    SnapshotFact,
    DifferenceFact,
    ForecastFact,
    DeployFact,
)
"""Every kind that firstcause itself knows, in the order of the reference. Plugins may add others."""
