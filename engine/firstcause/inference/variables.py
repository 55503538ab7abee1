"""References within rules: `$name.field` in tests and verdicts, `{name.field}` in reasons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause.core.model import Fact, FactValue

FIELD_SYNTAX = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*"
"""The name of a field; those of an alert's details and tags have dots, such as `details.host`."""

_REFERENCE_SYNTAX = re.compile(rf"\$([a-z][a-z0-9_]*)\.({FIELD_SYNTAX})")
_PLACEHOLDER_SYNTAX = re.compile(rf"\{{([a-z][a-z0-9_]*)\.({FIELD_SYNTAX})\}}")
_BRACES = re.compile(r"\{[^{}]*\}")


def parse_reference(value: object) -> tuple[str, str] | None:
    """Return (name, field) of `$name.field`; None for anything else."""
    match = _REFERENCE_SYNTAX.fullmatch(value) if isinstance(value, str) else None
    return (match[1], match[2]) if match else None


def find_placeholders(template: str) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Yield each `{...}` as written, with the fact's name and the field; None if it is no `{name.field}`."""
    for placeholder in _BRACES.findall(template):
        match = _PLACEHOLDER_SYNTAX.fullmatch(placeholder)
        yield placeholder, (match[1], match[2]) if match else None


def fill_template(template: str, facts: Mapping[str, Fact]) -> str:
    """Fill each `{name.field}` of a reason from the facts; `?` where a fact lacks the field."""
    return _PLACEHOLDER_SYNTAX.sub(
        lambda match: format_value(facts.get(match[1], {}).get(match[2])), template
    )


def format_value(value: FactValue) -> str:
    """Format a fact's value for people; `?` where there is none."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)
