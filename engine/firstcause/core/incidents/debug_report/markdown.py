"""The debug report as Markdown."""

from __future__ import annotations

import re
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

_MARKDOWN_CHARS = re.compile(r"([\\`*\[\]<>|~!]|(?<!\w)_|_(?!\w)|^[#+>-])")


def as_markdown(report: DebugReport) -> str:
    """Format the report for a ticket.

    Text that senders wrote is escaped, so that it cannot form a link, an image or a heading.
    """
    lines = [
        f"# {report.severity} {report.impact.priority}: {_escape_markdown(report.title)}",
        "",
        f"`{single_line(report.code).replace('`', '')}`, {format_status(report)}",
    ]
    for section in build_sections(report):
        lines += ["", f"## {section.title}", ""]
        for label, value in section.pairs:
            texts = [value] if isinstance(value, str) else list(value) or [NONE_KNOWN]
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
        if code := format_code(section.code):
            lines += ["", *(f"    {line}" for line in code)]
    return "\n".join(lines) + "\n"


def _escape_markdown(value: str) -> str:
    return _MARKDOWN_CHARS.sub(r"\\\1", single_line(value))
