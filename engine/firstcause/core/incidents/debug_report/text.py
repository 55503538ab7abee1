"""The debug report as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.incidents.debug_report.sections import (
    NONE_KNOWN,
    build_sections,
    format_code,
    format_status,
)
from firstcause.core.sanitize import single_line

if TYPE_CHECKING:
    from firstcause.core.incidents.debug_report.model import DebugReport


def as_text(report: DebugReport) -> str:
    """Format the report for a terminal, a mail or a chat that shows plain text."""
    lines = [
        f"{report.severity}  {report.impact.priority}  {single_line(report.title)}",
        f"{single_line(report.code)}, {format_status(report)}",
    ]
    for section in build_sections(report):
        lines += ["", section.title.upper()]
        width = max((len(label) for label, _value in section.pairs), default=0)
        for label, value in section.pairs:
            texts = [single_line(text) for text in ([value] if isinstance(value, str) else value)] or [
                NONE_KNOWN
            ]
            lines += [f"  {label if not index else '':<{width}}  {text}" for index, text in enumerate(texts)]
        lines += [
            f"  {f'{index}.' if section.ordered else '-'} {single_line(item)}"
            for index, item in enumerate(section.items, 1)
        ]
        lines += [f"  {line}" for line in format_code(section.code)]
    return "\n".join(lines) + "\n"
