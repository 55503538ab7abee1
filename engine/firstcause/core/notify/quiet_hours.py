"""Hours in which a route keeps still, by the clock of a place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo


@dataclass(frozen=True)
class QuietHours:
    """From `start` to `end` by the wall clock in `zone`, over midnight where the end is the earlier one.

    days: on which they begin, 0 for Monday; none for every day.
    """

    start: time
    end: time
    zone: tzinfo
    days: frozenset[int] = frozenset()

    def quiet_until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` is in, None outside of them. Always later than `now`."""
        local = now.astimezone(self.zone)
        for start_date in (local.date(), local.date() - timedelta(days=1)):
            if self.days and start_date.weekday() not in self.days:
                continue
            starts_at = datetime.combine(start_date, self.start)
            ends_at = datetime.combine(start_date, self.end)
            if self.end <= self.start:
                ends_at += timedelta(days=1)
            if starts_at <= local.replace(tzinfo=None) < ends_at:
                # Where clocks are put back the same time comes twice: the end is the one still to come.
                ends = (ends_at.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
                return next((end for end in ends if end > now), None)
        return None
