"""The watchdog message: once a day firstcause says that it is alive, so that its silence is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from firstcause.core.text.durations import format_duration

GRACE = timedelta(hours=1)
"""How late the message may be sent. Later it is left out, as it would look like one on time."""


@dataclass(frozen=True)
class WatchdogSchedule:
    """When the message is due, by the wall clock in `zone`. days: 0 for Monday; empty for every day."""

    at: time
    zone: tzinfo
    days: frozenset[int] = frozenset()

    def find_due(self, now: datetime, last_sent: datetime | None) -> datetime | None:
        """Return the time for which a message is to be sent now; None where there is none.

        last_sent: when the last message was sent, None where that is not known.
        """
        local = now.astimezone(self.zone)
        # Where clocks are set forward, a local time that does not exist is the one that long after midnight.
        for date in (local.date(), local.date() - timedelta(days=1)):
            if self.days and date.weekday() not in self.days:
                continue
            due = datetime.combine(date, self.at, self.zone).astimezone(UTC)
            if due <= now < due + GRACE and (last_sent is None or last_sent < due):
                return due
        return None


def format_watchdog(
    open_by_priority: dict[str, int], last_event_at: datetime | None, conditions: int, now: datetime
) -> str:
    """Format the message: that firstcause is alive, what is open, and when it last heard of anything."""
    total = sum(open_by_priority.values())
    counts = ", ".join(f"{count} {priority}" for priority, count in sorted(open_by_priority.items()))
    opened = f"{total} open ({counts})" if total else "nothing open"
    last = (
        f"last event {format_duration((now - last_event_at).total_seconds())} ago"
        if last_event_at is not None
        else "no event so far"
    )
    own = f"; {conditions} of its own parts need attention" if conditions else ""
    return f"firstcause is alive: {opened}, {last}{own}"
