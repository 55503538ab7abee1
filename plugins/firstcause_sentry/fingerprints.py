"""Sentry's `fingerprint`: what the application says tells its errors apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from firstcause import DEFAULT_GROUPING
from firstcause_sentry.fields import MAX_NAME_LENGTH, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_PARTS = 20
_VARIABLE = re.compile(r"\{\{\s*([\w.-]{1,100})\s*\}\}")


def read_grouping(
    payload: Mapping[str, Any],
    exceptions: Sequence[Mapping[str, Any]],
    tags: Mapping[str, str],
    message: str | None,
) -> tuple[str, ...]:
    """Read the fingerprint with its variables filled in; empty if there is none, or only the default."""
    raw = payload.get("fingerprint")
    if raw is None or raw == []:
        return ()
    parts = raw if isinstance(raw, list) else [raw]
    values = _list_variables(payload, exceptions[-1] if exceptions else {}, tags, message)

    def fill_variable(match: re.Match[str]) -> str:
        name = match[1]
        return DEFAULT_GROUPING if name == "default" else values.get(name) or match[0]

    texts = [str(part) for part in parts if isinstance(part, str | int | float) and str(part).strip()]
    filled = tuple(
        _VARIABLE.sub(fill_variable, text.strip())[:MAX_NAME_LENGTH] for text in texts[:_MAX_PARTS]
    )
    return () if set(filled) == {DEFAULT_GROUPING} else filled


def _list_variables(
    payload: Mapping[str, Any],
    exception: Mapping[str, Any],
    tags: Mapping[str, str],
    message: str | None,
) -> dict[str, str]:
    named = {
        "error.type": to_text(exception.get("type")),
        "error.value": to_text(exception.get("value")),
        "message": message,
        **{name: to_text(payload.get(name)) for name in ("transaction", "level", "logger", "release")},
        **{f"tags.{name}": value for name, value in tags.items()},
    }
    named |= {"type": named["error.type"], "value": named["error.value"]}
    return {name: value for name, value in named.items() if value}
