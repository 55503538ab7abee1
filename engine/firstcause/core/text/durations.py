"""Lengths of time as people write them: 30s, 5m, 1h30m, 400d."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([\d.]+)(ms|[smhdw])")
_LENGTH = r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smhdw]))+"
_WHOLE = re.compile(_LENGTH)
_SPOKEN = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def seconds(value: object) -> float:
    """Seconds of "1h30m", "500ms" or a plain number. ValueError with the mend for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        if _WHOLE.fullmatch(text):
            return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    msg = f"{value!r} is no length of time; write it like 30s, 5m, 1h30m or 400d"
    raise ValueError(msg)


Duration = Annotated[
    float, BeforeValidator(seconds), WithJsonSchema({"type": ["string", "number"], "pattern": f"^{_LENGTH}$"})
]
"""Seconds, read from text."""


def spoken(length: float) -> str:
    """The two largest parts: "4 min 12 s", "3 d"."""
    left, parts = round(max(length, 0)), []
    for unit, size in _SPOKEN:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
