"""The types of answers about incidents, silences, remedies and catalog entries.

The API's schema is made of them. Their fields are those of the contract, in its order. `serializers.py`
and the services build the answers.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from firstcause.core.catalog import Entry, Fix
from firstcause.core.incidents.suggestions import Suggestion
from firstcause.core.model import Frozen, Impact, IncidentStatus, Priority, Role, Root, Severity, VerdictKind
from firstcause.core.notification import NotifyReason
from firstcause.core.text.timestamps import FormattedTime


class PartAnswer(Frozen):
    """A part of an alert, such as one instance that fires. labels: those that tell the parts apart."""

    labels: dict[str, str]
    count: int
    first_seen: FormattedTime
    last_seen: FormattedTime
    resolved_at: FormattedTime | None


class AlertAnswer(Frozen):
    """An alert of an incident.

    catalogued: whether the catalog has an entry of its code. count: occurrences.
    caused_by: id of the alert that causes this one; None for a root.
    likeness: 0 to 1, how like the entry the message is; None where something else decided on the code.
    parts: what its labels tell apart, in the order in which they began; none if it has no labels.
    further_parts: how many more parts are active.
    """

    id: str
    code: str
    catalogued: bool
    title: str
    service: str | None
    tenant: str | None
    component: str | None
    severity: Severity
    role: Role
    count: int
    first_seen: FormattedTime
    last_seen: FormattedTime
    resolved_at: FormattedTime | None
    caused_by: str | None
    message: str | None
    likeness: float | None
    parts: tuple[PartAnswer, ...]
    further_parts: int


class VerdictAnswer(Frozen):
    """What one rule concluded about an alert.

    file, line: place of the rule. confidence: 0 to 1. alert: id of the alert; code: its code.
    facts: the facts that matched, by their names in the rule.
    """

    rule: str
    file: str
    line: int
    verdict: VerdictKind
    because: str
    confidence: float
    alert: str
    code: str
    facts: dict[str, dict[str, Any]]


class NotificationAnswer(Frozen):
    """An attempt to notify somebody of an incident.

    reference: what the notifier calls the message; None where the notifier names nothing.
    error: why the attempt failed; None where it did not.
    maybe_repeat: whether the message may have been sent before.
    """

    at: FormattedTime
    reason: NotifyReason
    notifier: str
    status: Literal["sent", "failed"]
    text: str
    reference: str | None
    error: str | None
    maybe_repeat: bool


class TimelineAnswer(Frozen):
    """A line of an incident's timeline."""

    at: FormattedTime
    actor: str
    what: str
    reason: str | None


class FlappingAnswer(Frozen):
    """How an incident flaps, or flapped until it was resolved.

    times: how often it began since `since`. last_onset: when it last began. text: the same in words.
    period_s: seconds from one beginning to the next, typically. on_s: seconds that it lasts, typically.
    """

    since: FormattedTime
    times: int
    last_onset: FormattedTime
    period_s: float
    on_s: float
    text: str


class IncidentAnswer(Frozen):
    """An incident.

    suppressed: by a rule. drill: a test, to see whether the phone rings. silenced_by: ids of silences.
    flapping: None where it does not end and return again and again.
    fix: what fixed it, in a person's words. how_to_fix: what the catalog says; None in lists.
    events: occurrences of all alerts. timeline: empty in lists.
    """

    id: str
    status: IncidentStatus
    root: Root
    priority: Priority
    severity: Severity
    title: str
    opened_at: FormattedTime
    resolved_at: FormattedTime | None
    suppressed: bool
    acknowledged_at: FormattedTime | None
    acknowledged_by: str | None
    flapping: FlappingAnswer | None
    drill: bool
    silenced_by: tuple[str, ...]
    fix: str | None
    how_to_fix: Fix | None
    events: int
    alerts: tuple[AlertAnswer, ...]
    impact: Impact
    verdicts: tuple[VerdictAnswer, ...]
    suggestions: tuple[Suggestion, ...]
    notifications: tuple[NotificationAnswer, ...]
    timeline: tuple[TimelineAnswer, ...]


class IncidentSearch(Frozen):
    """What `incidents` prints. total: how many match. by_priority: of the open ones among them."""

    incidents: tuple[IncidentAnswer, ...]
    total: int
    by_priority: dict[str, int]


class IncidentList(Frozen):
    """Incidents, the newest first."""

    incidents: tuple[IncidentAnswer, ...]


class ExplainedVerdict(Frozen):
    """A verdict with what it rests on.

    about: what the rule is about; None where the rule files have no such rule any more.
    holds: whether no other verdict outranks this one. facts: the fields of each fact that the rule reads.
    from: the earlier verdicts that it rests on.
    """

    verdict: VerdictKind
    rule: str
    about: str | None
    file: str
    line: int
    because: str
    confidence: float
    priority: int
    holds: bool
    facts: dict[str, dict[str, Any]]
    from_: tuple[ExplainedVerdict, ...] = Field(alias="from")


class ExplainedError(Frozen):
    """The alerts of one code under one cause.

    alerts, events: how many. tenants: those that reported the code. causes: what follows from these alerts.
    """

    code: str
    title: str
    role: Role
    alerts: int
    events: int
    tenants: tuple[str, ...]
    verdicts: tuple[ExplainedVerdict, ...]
    causes: tuple[ExplainedError, ...]


class EvidenceAnswer(Frozen):
    """A reason for or against a suspect. weight: in nats; below 0 against."""

    text: str
    weight: float


class SuspectAnswer(Frozen):
    """A component that may be the root. silent: whether the component has no alert of its own."""

    component: str
    confidence: float
    silent: bool
    for_: tuple[EvidenceAnswer, ...] = Field(alias="for")
    against: tuple[EvidenceAnswer, ...]


class FailedConditionAnswer(Frozen):
    """A condition of a rule that does not hold.

    short: by how much a number misses its limit; None where the condition has no limit.
    """

    where: str
    wanted: str
    got: str
    short: float | None
    text: str


class NearMissAnswer(Frozen):
    """A rule that nearly fired. facts: those that come nearest, by their names in the rule."""

    rule: str
    about: str
    file: str
    line: int
    failed: tuple[FailedConditionAnswer, ...]
    facts: dict[str, dict[str, Any]]


class ExplanationAnswer(Frozen):
    """Why an incident is what it is. incident: its id. missed: rules that nearly fired, the nearest first."""

    incident: str
    status: IncidentStatus
    root: Root
    priority: Priority
    tree: tuple[ExplainedError, ...]
    suspects: tuple[SuspectAnswer, ...]
    missed: tuple[NearMissAnswer, ...]


class SilenceAnswer(Frozen):
    """A silence. incidents: ids of those that it silences now."""

    id: str
    matchers: tuple[str, ...]
    state: Literal["pending", "active", "expired"]
    starts_at: FormattedTime
    ends_at: FormattedTime
    created_at: FormattedTime
    created_by: str
    comment: str | None
    incidents: tuple[str, ...]


class SilenceList(Frozen):
    """Silences, the newest first."""

    silences: tuple[SilenceAnswer, ...]


class RemedyAnswer(Frozen):
    """A remedy that a plugin offers. component: what it acts on."""

    name: str
    component: str


class RemedyList(Frozen):
    """All remedies."""

    remedies: tuple[RemedyAnswer, ...]


class RemedyPlan(RemedyAnswer):
    """What a remedy would do. ok: whether it could say so. ms: milliseconds that this took."""

    ok: bool
    text: str
    ms: float


class RemedyResult(Frozen):
    """What a remedy did. ms: milliseconds that this took."""

    name: str
    ok: bool
    text: str
    ms: float


class EntryList(Frozen):
    """The catalog."""

    entries: tuple[Entry, ...]
