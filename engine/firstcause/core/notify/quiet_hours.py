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

    def until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` is in, None outside of them. Always later than `now`."""
        local = now.astimezone(self.zone)
        for begun in (local.date(), local.date() - timedelta(days=1)):
            if self.days and begun.weekday() not in self.days:
                continue
            first = datetime.combine(begun, self.start)
            last = datetime.combine(begun, self.end)
            if self.end <= self.start:
                last += timedelta(days=1)
            if first <= local.replace(tzinfo=None) < last:
                # Where clocks are put back the same time comes twice: the end is the one still to come.
                ends = (last.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
                return next((each for each in ends if each > now), None)
        return None
