"""Durations as people write them: 30s, 5m, 1h30m, 400d."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART_PATTERN = re.compile(r"([\d.]+)(ms|[smhdw])")
DURATION_REGEX = r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smhdw]))+"
_DURATION_PATTERN = re.compile(DURATION_REGEX)
_DISPLAY_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def parse_duration(value: object) -> float:
    """Read "1h30m", "500ms" or a number of seconds. Raises ValueError with an example for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        if _DURATION_PATTERN.fullmatch(text):
            return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART_PATTERN.findall(text))
    msg = f"{value!r} is not a duration; use for example 30s, 5m, 1h30m"
    raise ValueError(msg)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["string", "number"], "pattern": f"^{DURATION_REGEX}$"}),
]
"""Seconds, read from text."""


def format_duration(duration_s: float) -> str:
    """Format seconds by their two largest units: "4 min 12 s", "3 d"."""
    remaining, parts = round(max(duration_s, 0)), []
    for unit, unit_seconds in _DISPLAY_UNITS:
        count, remaining = divmod(remaining, unit_seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
