"""Quiet hours of a route, by the wall clock of a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo


@dataclass(frozen=True)
class QuietHours:
    """Quiet hours from `start` to `end` by the wall clock in `zone`; over midnight if `end` is earlier.

    days: on which they begin, 0 for Monday; empty for every day.
    """

    start: time
    end: time
    zone: tzinfo
    days: frozenset[int] = frozenset()

    def quiet_until(self, now: datetime) -> datetime | None:
        """Return the end of the quiet hours that contain `now`, which is later; None outside of them."""
        local = now.astimezone(self.zone)
        for start_date in (local.date(), local.date() - timedelta(days=1)):
            if self.days and start_date.weekday() not in self.days:
                continue
            starts_at = datetime.combine(start_date, self.start)
            ends_at = datetime.combine(start_date, self.end)
            if self.end <= self.start:
                ends_at += timedelta(days=1)
            if starts_at <= local.replace(tzinfo=None) < ends_at:
                # When clocks are set back, a local time occurs twice: take the one that is still to come.
                ends = (ends_at.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
                return next((end for end in ends if end > now), None)
        return None
