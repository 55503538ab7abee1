"""The sections of a debug report, which the text and the Markdown format share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.incidents.flapping import describe_flapping
from firstcause.core.model import IncidentStatus
from firstcause.core.sanitize import single_line
from firstcause.core.text.durations import format_duration
from firstcause.core.text.listing import join_limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from firstcause.core.health.comparison import AssessedDifference
    from firstcause.core.incidents.debug_report.model import (
        CascadeFailure,
        DebugReport,
        RelatedError,
        TimelineEntry,
    )
    from firstcause.core.incidents.suggestions import Suggestion

_MAX_STACK_LINES = 40
_MAX_SHOWN_TENANTS = 5
NONE_KNOWN = "none known"


@dataclass(frozen=True)
class Section:
    """One section of the report, as every format shows it.

    pairs: label, and one value or several.
    items: a list, numbered if `ordered`.
    code: preformatted text, None if the section has none.
    """

    title: str
    pairs: Sequence[tuple[str, str | Sequence[str]]] = ()
    items: Sequence[str] = ()
    ordered: bool = False
    code: str | None = None


def format_status(report: DebugReport) -> str:
    """Format the incident's id, state, age and number of errors."""
    duration = format_duration(
        ((report.resolved_at or report.generated_at) - report.opened_at).total_seconds()
    )
    since = report.opened_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    state = (
        f"open for {duration}"
        if report.status is IncidentStatus.OPEN
        else f"{report.status}, lasted {duration}"
    )
    flaps = "flapped" if report.resolved_at is not None else "flapping:"
    flapping = f", {flaps} {describe_flapping(report.flapping)}" if report.flapping is not None else ""
    return f"incident {report.incident}, {state}, since {since}, {report.events} errors{flapping}"


def build_sections(report: DebugReport) -> Iterator[Section]:
    """Yield the sections of the report in the order in which a reader needs them."""
    yield _cause_section(report)
    yield from _fix_sections(report)
    yield _impact_section(report)
    if report.parts:
        yield Section("Where it is active", items=report.parts)
    if report.changes:
        items = [_format_change(change, report.opened_at) for change in report.changes]
        yield Section("What changed since the last good state", items=items)
    yield _dependency_section(report)
    yield from _source_sections(report)
    yield Section("Common causes", items=report.common_causes or (NONE_KNOWN,))
    yield Section(
        "Related errors", items=[_format_related(error) for error in report.related] or (NONE_KNOWN,)
    )
    if report.timeline:
        yield Section("Timeline", items=[_format_timeline_entry(entry) for entry in report.timeline])


def _cause_section(report: DebugReport) -> Section:
    cause = report.dependencies.root_cause
    pairs: list[tuple[str, str | Sequence[str]]] = [("Cause", cause.because or cause.title)]
    if cause.confidence is not None:
        pairs.append(("Confidence", f"{cause.confidence:.0%}, rule {cause.rule} ({cause.file}:{cause.line})"))
    if report.message:
        pairs.append(("Message", report.message))
    return Section("Root cause", pairs)


def _format_change(change: AssessedDifference, onset: datetime) -> str:
    ago = (onset - change.since).total_seconds() if change.since is not None else 0.0
    when = f"{format_duration(ago)} before the incident" if ago >= 1 else "when the incident began"
    likely = f", {change.likelihood:.0%} likely the cause" if change.likelihood else ""
    return single_line(f"{change.message} ({when}{likely})")


def _format_suggestion(suggestion: Suggestion) -> str:
    plural = "s" if len(suggestion.incidents) > 1 else ""
    incident_names = f"incident{plural} {', '.join(suggestion.incidents)}"
    return f"{suggestion.fix} ({suggestion.because}; {incident_names}; {suggestion.confidence:.0%} sure)"


def _fix_sections(report: DebugReport) -> Iterator[Section]:
    fix, verify = report.fix, report.verify
    unknown = "This error is not in the catalog. Describe it in a rule file, and the next report has its fix."
    steps = Section(
        "How to fix", items=fix.steps or ((NONE_KNOWN,) if report.catalogued else (unknown,)), ordered=True
    )
    past_fixes = Section(
        "What helped before", items=[_format_suggestion(suggestion) for suggestion in report.suggestions]
    )
    sections = [steps, past_fixes] if fix.steps else [past_fixes, steps]
    yield from (section for section in sections if section.items)
    where = f" in {fix.config_file}" if fix.config_file else ""
    yield Section(
        "Where to fix",
        [
            ("Direct fix link", fix.url or NONE_KNOWN),
            ("UI fix link", fix.ui_url or NONE_KNOWN),
            ("Documentation", report.docs or NONE_KNOWN),
        ],
    )
    env_vars = [f"{name}{where}" for name in fix.env_vars]
    yield Section("Required environment variables", items=env_vars or (NONE_KNOWN,))
    yield Section("How to reproduce", items=report.reproduce or (NONE_KNOWN,), ordered=True)
    probe_steps = (f"firstcause probe {verify.probe} reports UP",) if verify.probe else ()
    yield Section("How to verify the fix", items=(*verify.steps, *probe_steps) or (NONE_KNOWN,), ordered=True)


def _impact_section(report: DebugReport) -> Section:
    impact = report.impact
    companies = ", ".join(impact.companies) + (
        f" ({len(impact.companies)} of {impact.companies_known} known)" if impact.companies else ""
    )
    return Section(
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


def _dependency_section(report: DebugReport) -> Section:
    dependencies = report.dependencies
    cascades = [_format_cascade(failure) for failure in dependencies.cascade_failures]
    pairs: list[tuple[str, str | Sequence[str]]] = [
        ("Is a cascade", "yes" if dependencies.is_cascade else "no, this is the root cause"),
        ("Root cause", f"{dependencies.root_cause.code}: {dependencies.root_cause.title}"),
        ("Cascade failures", cascades or "none"),
    ]
    if cascades:
        resolving = [failure.code for failure in dependencies.cascade_failures if failure.resolves_with_root]
        pairs.append(("Resolves with the root cause", ", ".join(resolving)))
    pairs.append(("Affected services", dependencies.affected_services))
    return Section("Dependency analysis", pairs)


def _format_cascade(failure: CascadeFailure) -> str:
    companies = join_limited(failure.companies, _MAX_SHOWN_TENANTS)
    company_note = f" in {companies}" if companies else ""
    return f"{failure.code} x {failure.count}{company_note}: {failure.title}"


def _source_sections(report: DebugReport) -> Iterator[Section]:
    source = report.error_source
    if source is None:
        yield Section("Error source", [("Location", "not reported")])
    else:
        line = f":{source.line}" if source.line is not None else ""
        yield Section(
            "Error source",
            [
                ("File", f"{source.file or 'not reported'}{line}"),
                ("Function", source.function or "not reported"),
                ("Query", source.query or "not reported"),
                ("Reported by", source.code),
            ],
        )
    if report.details:
        yield Section(
            "Details", [(single_line(key), _format_value(value)) for key, value in report.details.items()]
        )
    if report.stack:
        yield Section("Stack", code=report.stack)


def _format_related(error: RelatedError) -> str:
    title = f": {error.title}" if error.title else ""
    return f"{error.code}{title}{' (active now)' if error.active else ''}"


def _format_timeline_entry(entry: TimelineEntry) -> str:
    time = entry.at.isoformat(timespec="seconds").replace("+00:00", "Z")
    actor = "" if entry.actor == "firstcause" else f" by {entry.actor}"
    return f"{time}  {entry.what}{actor}{f' ({entry.reason})' if entry.reason else ''}"


def _format_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def format_code(code: str | None) -> list[str]:
    """Split preformatted text into printable lines, cut after the first few; no lines for None."""
    lines = (code or "").splitlines()
    shown = [single_line(line.expandtabs(4)) for line in lines[:_MAX_STACK_LINES]]
    hidden = len(lines) - len(shown)
    return [*shown, f"... {hidden} more lines"] if hidden else shown
