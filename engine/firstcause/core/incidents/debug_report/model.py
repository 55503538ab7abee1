"""The values of a debug report. Their fields are its JSON form."""

from __future__ import annotations

from typing import Any

from firstcause.core.catalog import Fix, Verify
from firstcause.core.health.comparison import AssessedDifference
from firstcause.core.incidents.suggestions import Suggestion
from firstcause.core.model import Flapping, Frozen, Impact, IncidentStatus, Source, Time


class ErrorSource(Source):
    """The place in the code where the error was raised.

    code: the error that reported the place: the root itself if it reported one, else a cascade.
    """

    code: str


class Cause(Frozen):
    """The root cause and why the rules chose it.

    rule, file, line: the rule that gave the verdict and its place; None if no rule gave one.
    """

    code: str
    title: str
    because: str | None = None
    confidence: float | None = None
    rule: str | None = None
    file: str | None = None
    line: int | None = None


class CascadeFailure(Frozen):
    """All alerts of one code that follow from the root.

    count: occurrences of all these alerts.
    caused_by: the code of the alert that caused the first of them, None if that alert is unknown.
    """

    code: str
    title: str
    count: int
    companies: tuple[str, ...]
    services: tuple[str, ...]
    caused_by: str | None
    resolves_with_root: bool = True


class Dependencies(Frozen):
    """What follows from what within the incident.

    is_cascade: whether the reported error follows from another error; the root of an incident never does.
    """

    is_cascade: bool
    root_cause: Cause
    cascade_failures: tuple[CascadeFailure, ...]
    affected_services: tuple[str, ...]


class RelatedError(Frozen):
    """An error that often occurs together with the root.

    title: None if the catalog does not know the error.
    active: whether this incident has an alert of it.
    """

    code: str
    title: str | None
    active: bool


class TimelineEntry(Frozen):
    """One line of the incident's timeline."""

    at: Time
    actor: str
    what: str
    reason: str | None = None


class DebugReport(Frozen):
    """What `firstcause debug` shows. Its JSON form is part of the contract.

    flapping: how the incident ends and returns; None if it does not.
    events: occurrences of all alerts of the incident.
    stack: the first stack trace that an alert reported, the root's before those of cascades.
    parts: a line for each alert that has several parts, such as instances: which of them are active.
    """

    incident: str
    status: IncidentStatus
    code: str
    title: str
    catalogued: bool
    category: str | None
    severity: str
    component: str | None
    generated_at: Time
    opened_at: Time
    resolved_at: Time | None
    flapping: Flapping | None
    events: int
    message: str | None
    details: dict[str, Any]
    stack: str | None
    error_source: ErrorSource | None
    dependencies: Dependencies
    impact: Impact
    fix: Fix
    reproduce: tuple[str, ...]
    verify: Verify
    docs: str | None
    common_causes: tuple[str, ...]
    related: tuple[RelatedError, ...]
    timeline: tuple[TimelineEntry, ...]
    changes: tuple[AssessedDifference, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    parts: tuple[str, ...] = ()
