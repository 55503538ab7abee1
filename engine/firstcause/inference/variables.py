"""Names within rules: `$name.field` in tests and verdicts, `{name.field}` in reasons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause.core.model import Fact, FactValue

_REFERENCE = re.compile(r"\$([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_TEMPLATE = re.compile(r"\{([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)\}")
_BRACES = re.compile(r"\{[^{}]*\}")


def reference(value: object) -> tuple[str, str] | None:
    """(name, field) of `$name.field`, None for anything else."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def placeholders(template: str) -> Iterator[tuple[str, str | None]]:
    """Each `{...}` as written, with the name it takes a field of; None where it is no `{name.field}`."""
    for written in _BRACES.findall(template):
        found = _TEMPLATE.fullmatch(written)
        yield written, found[1] if found else None


def fill(template: str, facts: Mapping[str, Fact]) -> str:
    """A reason with `{name.field}` filled from the facts; `?` where a fact lacks the field."""
    return _TEMPLATE.sub(lambda found: shown(facts.get(found[1], {}).get(found[2])), template)


def shown(value: FactValue) -> str:
    """A fact's value as people read it; `?` where it has none."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)
