"""Times as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def format_time(time: datetime | None) -> str | None:
    """Format a UTC time as ISO 8601 to the millisecond; None stays None."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time is not None else None
