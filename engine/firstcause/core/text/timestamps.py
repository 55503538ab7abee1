"""Times as text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field


def format_time(time: datetime | None) -> str | None:
    """Format a UTC time as ISO 8601 to the millisecond; None stays None."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time is not None else None


def _require_formatted_time(text: str) -> str:
    try:
        is_formatted = format_time(datetime.fromisoformat(text)) == text
    except ValueError:
        is_formatted = False
    if not is_formatted:
        msg = f"{text!r} is not a UTC time such as 2026-11-01T03:00:00.000Z"
        raise ValueError(msg)
    return text


FormattedTime = Annotated[
    str, AfterValidator(_require_formatted_time), Field(json_schema_extra={"format": "date-time"})
]
"""A time in an answer, as `format_time` formats it."""
