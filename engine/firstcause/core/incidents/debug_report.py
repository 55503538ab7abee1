"""The debug report: all that is known of an incident, the cause first, to read at night or to paste."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.core.catalog import Entry, Fix, Verify
from firstcause.core.health.comparison import AssessedDifference
from firstcause.core.incidents.suggestions import Suggestion
from firstcause.core.model import (
    Alert,
    Frozen,
    Impact,
    Incident,
    IncidentStatus,
    Role,
    Source,
    Time,
    Verdict,
    VerdictKind,
)
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.durations import format_duration
from firstcause.core.text.listing import join_limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.catalog import Catalog

_MAX_STACK_LINES = 40
_MAX_SHOWN_TENANTS = 5
_NONE_KNOWN = "none known"


class ErrorSource(Source):
    """Where it was raised. code: the error that said so, the root's own where that said anything."""

    code: str


class Cause(Frozen):
    """The root, and why the rules say so. rule, file, line: where that rule stands; None where none spoke."""

    code: str
    title: str
    because: str | None = None
    confidence: float | None = None
    rule: str | None = None
    file: str | None = None
    line: int | None = None


class CascadeFailure(Frozen):
    """All alerts of one code that follow from the root. count: occurrences."""

    code: str
    title: str
    count: int
    companies: tuple[str, ...]
    services: tuple[str, ...]
    caused_by: str | None
    resolves_with_root: bool = True


class Dependencies(Frozen):
    """is_cascade: whether the error reported on follows from another; an incident's root never does."""

    is_cascade: bool
    root_cause: Cause
    cascade_failures: tuple[CascadeFailure, ...]
    affected_services: tuple[str, ...]


class RelatedError(Frozen):
    """An error that is often seen with this one. active: whether it is now, in this incident."""

    code: str
    title: str | None
    active: bool


class TimelineEntry(Frozen):
    """One line of the incident's history."""

    at: Time
    actor: str
    what: str
    reason: str | None = None


class DebugReport(Frozen):
    """What `firstcause debug` shows; its JSON form is this, and stable."""

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


def build_debug_report(
    incident: Incident,
    members: Sequence[Alert],
    catalog: Catalog,
    now: datetime,
    *,
    timeline: Iterable[Mapping[str, Any]] = (),
    changes: Sequence[AssessedDifference] = (),
    suggestions: Sequence[Suggestion] = (),
) -> DebugReport:
    """Of an incident and its alerts, roots and cascades. timeline: rows with at, actor, what, reason.

    changes: since the last known good state, the likeliest cause first. suggestions: what mended it before.
    """
    ordered = sorted(
        members, key=lambda alert: (alert.role is not Role.ROOT, alert.first_seen, alert.fingerprint)
    )
    root_alerts = [alert for alert in ordered if alert.role is Role.ROOT]
    cascades = [alert for alert in ordered if alert.role is Role.CASCADE]
    lead = root_alerts[0] if root_alerts else None
    entry = catalog.get(incident.root.code)
    sample = lead.sample if lead else None
    return DebugReport(
        incident=str(incident.stored_id),
        status=incident.status,
        code=incident.root.code,
        title=incident.title,
        catalogued=entry is not None,
        category=entry.category.value if entry else None,
        severity=incident.severity.value,
        component=entry.component if entry else None,
        generated_at=now,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        events=sum(alert.count for alert in members),
        message=sample.message if sample else None,
        details=sample.details if sample else {},
        stack=next((alert.sample.stack for alert in ordered if alert.sample and alert.sample.stack), None),
        error_source=_find_source(ordered),
        dependencies=Dependencies(
            is_cascade=False,
            root_cause=_build_cause(incident, root_alerts),
            cascade_failures=_build_cascade_failures(
                cascades, {alert.fingerprint: alert.code for alert in members}
            ),
            affected_services=_sorted_names(alert.service for alert in members),
        ),
        impact=incident.impact,
        fix=entry.fix if entry else Fix(),
        reproduce=entry.reproduce if entry else (),
        verify=entry.verify if entry else Verify(),
        docs=entry.docs if entry else None,
        common_causes=entry.common_causes if entry else (),
        related=_build_related(entry, catalog, {alert.code for alert in members}),
        timeline=tuple(TimelineEntry.model_validate(dict(row)) for row in timeline),
        changes=tuple(changes),
        suggestions=tuple(suggestions),
    )


def _find_source(ordered: Iterable[Alert]) -> ErrorSource | None:
    """The root's own place, else that of the first cascade that names one: a probe has no source."""
    for alert in ordered:
        source = alert.sample.source if alert.sample else None
        if source is not None and source != Source():
            return ErrorSource(**source.model_dump(), code=alert.code)
    return None


def find_root_verdict(incident: Incident, root_alerts: Iterable[Alert]) -> Verdict | None:
    """Why the rules say that it is the root; not what they said of what was taken for the root before."""
    root_causes = (alert for alert in root_alerts if alert.fault == incident.fault)
    return strongest((verdict for alert in root_causes for verdict in alert.verdicts), VerdictKind.ROOT_CAUSE)


def _build_cause(incident: Incident, root_alerts: Sequence[Alert]) -> Cause:
    verdict = find_root_verdict(incident, root_alerts)
    if verdict is None:
        return Cause(code=incident.root.code, title=incident.title)
    return Cause(
        code=incident.root.code,
        title=incident.title,
        because=verdict.because,
        confidence=verdict.confidence,
        rule=verdict.rule,
        file=verdict.file,
        line=verdict.line,
    )


def _build_cascade_failures(
    cascades: Sequence[Alert], codes: Mapping[str, str]
) -> tuple[CascadeFailure, ...]:
    by_code: dict[str, list[Alert]] = {}
    for alert in cascades:
        by_code.setdefault(alert.code, []).append(alert)
    return tuple(
        CascadeFailure(
            code=code,
            title=alerts[0].title,
            count=sum(alert.count for alert in alerts),
            companies=_sorted_names(alert.tenant for alert in alerts),
            services=_sorted_names(alert.service for alert in alerts),
            caused_by=codes.get(alerts[0].caused_by or ""),
        )
        for code, alerts in by_code.items()
    )


def _sorted_names(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _build_related(entry: Entry | None, catalog: Catalog, active: set[str]) -> tuple[RelatedError, ...]:
    related_errors = []
    for code in entry.related if entry else ():
        related_entry = catalog.get(code)
        related_errors.append(
            RelatedError(
                code=code, title=related_entry.title if related_entry else None, active=code in active
            )
        )
    return tuple(related_errors)


# How it is shown: the same sections in plain text and in Markdown.


@dataclass(frozen=True)
class _Section:
    """pairs: label and value or values. items: numbered where order matters. code: shown as it stands."""

    title: str
    pairs: Sequence[tuple[str, str | Sequence[str]]] = ()
    items: Sequence[str] = ()
    ordered: bool = False
    code: str | None = None


def as_text(report: DebugReport) -> str:
    """For a terminal, a mail or a chat that shows text as it is."""
    lines = [
        f"{report.severity}  {report.impact.priority}  {_to_single_line(report.title)}",
        f"{_to_single_line(report.code)}, {_format_status(report)}",
    ]
    for section in _build_sections(report):
        lines += ["", section.title.upper()]
        width = max((len(label) for label, _value in section.pairs), default=0)
        for label, value in section.pairs:
            texts = [_to_single_line(text) for text in ([value] if isinstance(value, str) else value)] or [
                _NONE_KNOWN
            ]
            lines += [f"  {label if not index else '':<{width}}  {text}" for index, text in enumerate(texts)]
        lines += [
            f"  {f'{index}.' if section.ordered else '-'} {_to_single_line(item)}"
            for index, item in enumerate(section.items, 1)
        ]
        lines += [f"  {line}" for line in _format_code(section.code)]
    return "\n".join(lines) + "\n"


def as_markdown(report: DebugReport) -> str:
    """For a ticket. What senders wrote is escaped, so that it can form no link, image or heading."""
    lines = [
        f"# {report.severity} {report.impact.priority}: {_escape_markdown(report.title)}",
        "",
        f"`{_to_single_line(report.code).replace('`', '')}`, {_format_status(report)}",
    ]
    for section in _build_sections(report):
        lines += ["", f"## {section.title}", ""]
        for label, value in section.pairs:
            texts = [value] if isinstance(value, str) else list(value) or [_NONE_KNOWN]
            if len(texts) == 1:
                lines.append(f"- **{_escape_markdown(label)}:** {_escape_markdown(texts[0])}")
            else:
                lines += [
                    f"- **{_escape_markdown(label)}:**",
                    *(f"  - {_escape_markdown(text)}" for text in texts),
                ]
        lines += [
            f"{f'{index}.' if section.ordered else '-'} {_escape_markdown(item)}"
            for index, item in enumerate(section.items, 1)
        ]
        if code := _format_code(section.code):
            lines += ["", *(f"    {line}" for line in code)]
    return "\n".join(lines) + "\n"


def _format_status(report: DebugReport) -> str:
    duration = format_duration(
        ((report.resolved_at or report.generated_at) - report.opened_at).total_seconds()
    )
    since = report.opened_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    state = (
        f"open for {duration}"
        if report.status is IncidentStatus.OPEN
        else f"{report.status}, lasted {duration}"
    )
    return f"incident {report.incident}, {state}, since {since}, {report.events} errors"


def _build_sections(report: DebugReport) -> Iterator[_Section]:
    yield _cause_section(report)
    yield from _fix_sections(report)
    yield _impact_section(report)
    if report.changes:
        items = [_format_change(change, report.opened_at) for change in report.changes]
        yield _Section("What changed since all was well", items=items)
    yield _dependency_section(report)
    yield from _source_sections(report)
    yield _Section("Common causes", items=report.common_causes or (_NONE_KNOWN,))
    yield _Section(
        "Related errors", items=[_format_related(error) for error in report.related] or (_NONE_KNOWN,)
    )
    if report.timeline:
        yield _Section("Timeline", items=[_format_timeline_entry(entry) for entry in report.timeline])


def _cause_section(report: DebugReport) -> _Section:
    cause = report.dependencies.root_cause
    pairs: list[tuple[str, str | Sequence[str]]] = [("Cause", cause.because or cause.title)]
    if cause.confidence is not None:
        pairs.append(("Confidence", f"{cause.confidence:.0%}, rule {cause.rule} ({cause.file}:{cause.line})"))
    if report.message:
        pairs.append(("Message", report.message))
    return _Section("Root cause", pairs)


def _format_change(change: AssessedDifference, onset: datetime) -> str:
    ago = (onset - change.since).total_seconds() if change.since is not None else 0.0
    when = f"{format_duration(ago)} before it began" if ago >= 1 else "seen as it began"
    likely = f", {change.likelihood:.0%} likely the cause" if change.likelihood else ""
    return _to_single_line(f"{change.message} ({when}{likely})")


def _format_suggestion(suggestion: Suggestion) -> str:
    plural = "s" if len(suggestion.incidents) > 1 else ""
    incident_names = f"incident{plural} {', '.join(suggestion.incidents)}"
    return f"{suggestion.fix} ({suggestion.because}; {incident_names}; {suggestion.confidence:.0%} sure)"


def _fix_sections(report: DebugReport) -> Iterator[_Section]:
    fix, verify = report.fix, report.verify
    unknown = (
        "This error is in no catalog. Write an entry for it in a rule file, and the next report has its fix."
    )
    steps = _Section(
        "How to fix", items=fix.steps or ((_NONE_KNOWN,) if report.catalogued else (unknown,)), ordered=True
    )
    past_fixes = _Section(
        "What helped before", items=[_format_suggestion(suggestion) for suggestion in report.suggestions]
    )
    sections = [steps, past_fixes] if fix.steps else [past_fixes, steps]
    yield from (section for section in sections if section.items)
    where = f" in {fix.config_file}" if fix.config_file else ""
    yield _Section(
        "Where to fix",
        [
            ("Environment", [f"{name}{where}" for name in fix.env_vars]),
            ("Direct fix link", fix.url or _NONE_KNOWN),
            ("UI fix link", fix.ui_url or _NONE_KNOWN),
            ("Documentation", report.docs or _NONE_KNOWN),
        ],
    )
    yield _Section("How to reproduce", items=report.reproduce or (_NONE_KNOWN,), ordered=True)
    probe_steps = (f"firstcause probe {verify.probe} says UP",) if verify.probe else ()
    yield _Section(
        "How to verify the fix", items=(*verify.steps, *probe_steps) or (_NONE_KNOWN,), ordered=True
    )


def _impact_section(report: DebugReport) -> _Section:
    impact = report.impact
    companies = ", ".join(impact.companies) + (
        f" ({len(impact.companies)} of {impact.companies_known} known)" if impact.companies else ""
    )
    return _Section(
        "Impact",
        [
            ("Priority", impact.priority.value),
            ("Revenue impact", impact.revenue.value),
            ("Customer facing", "yes" if impact.customer_facing else "no"),
            ("Companies affected", f"{impact.tenants.value}{f', seen: {companies}' if companies else ''}"),
            ("Features affected", impact.features),
            ("Where", impact.components),
        ],
    )


def _dependency_section(report: DebugReport) -> _Section:
    dependencies = report.dependencies
    cascades = [_format_cascade(failure) for failure in dependencies.cascade_failures]
    pairs: list[tuple[str, str | Sequence[str]]] = [
        ("Is a cascade", "yes" if dependencies.is_cascade else "no, this is the root cause"),
        ("Root cause", f"{dependencies.root_cause.code}: {dependencies.root_cause.title}"),
        ("Cascade failures", cascades or "none"),
    ]
    if cascades:
        pairs.append(
            ("Will resolve", f"{'these' if len(cascades) > 1 else 'this'}, when the root cause does")
        )
    pairs.append(("Affected services", dependencies.affected_services))
    return _Section("Dependency analysis", pairs)


def _format_cascade(failure: CascadeFailure) -> str:
    companies = join_limited(failure.companies, _MAX_SHOWN_TENANTS)
    company_note = f" in {companies}" if companies else ""
    return f"{failure.code} x {failure.count}{company_note}: {failure.title}"


def _source_sections(report: DebugReport) -> Iterator[_Section]:
    source = report.error_source
    if source is None:
        yield _Section("Error source", [("Reported", "without a place in the code")])
    else:
        line = f":{source.line}" if source.line is not None else ""
        yield _Section(
            "Error source",
            [
                ("File", f"{source.file or 'not said'}{line}"),
                ("Function", source.function or "not said"),
                ("Query", source.query or "not said"),
                ("Reported by", source.code),
            ],
        )
    if report.details:
        yield _Section(
            "Details", [(_to_single_line(key), _format_value(value)) for key, value in report.details.items()]
        )
    if report.stack:
        yield _Section("Stack", code=report.stack)


def _format_related(error: RelatedError) -> str:
    title = f": {error.title}" if error.title else ""
    return f"{error.code}{title}{' (active now)' if error.active else ''}"


def _format_timeline_entry(entry: TimelineEntry) -> str:
    time = entry.at.isoformat(timespec="seconds").replace("+00:00", "Z")
    actor = "" if entry.actor == "firstcause" else f" by {entry.actor}"
    return f"{time}  {entry.what}{actor}{f' ({entry.reason})' if entry.reason else ''}"


def _format_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _to_single_line(value: str) -> str:
    """On one line, without characters that could drive a terminal."""
    return "".join(char if char.isprintable() else " " for char in value)


def _format_code(code: str | None) -> list[str]:
    lines = (code or "").splitlines()
    shown = [_to_single_line(line.expandtabs(4)) for line in lines[:_MAX_STACK_LINES]]
    hidden = len(lines) - len(shown)
    return [*shown, f"... {hidden} more lines"] if hidden else shown


_MARKDOWN_CHARS = re.compile(r"([\\`*\[\]<>|~!]|(?<!\w)_|_(?!\w)|^[#+>-])")


def _escape_markdown(value: str) -> str:
    return _MARKDOWN_CHARS.sub(r"\\\1", _to_single_line(value))
