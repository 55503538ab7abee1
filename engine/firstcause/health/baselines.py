"""What is normal for each component: its last numbers, those of this hour on earlier days, their edges."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.health.baseline import Normal, judged
from firstcause.core.health.comparison import Difference, extreme, unusual
from firstcause.core.health.outlier import Extremes, Reach
from firstcause.store import snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.health.snapshot import Snapshot

PREFIX = "normal_"
"""How the names of thresholds begin that say what is normal; see `core.series.Normal`."""

REACH_PREFIX = "extreme_"
"""The same, of what is beyond all that it was; see `core.extremes.Reach`."""

DAYS = 14
"""So many days back this hour is looked at."""

_AN_HOUR = timedelta(hours=1)
_A_DAY = 12
"""Snapshots of one day's hour that are looked at."""

_KEPT = 1000
"""Snapshots that are read again after a start, at most."""

Numbers = dict[str, dict[str, float]]
"""Component -> name -> value."""


@dataclass
class Normals:
    """Filled from the store when it is first asked, and from then on with every snapshot."""

    _recent: deque[Numbers] | None = None
    _reach: Reach = field(default_factory=Reach)
    _extremes: dict[tuple[str, str], Extremes] = field(default_factory=dict)
    _same_hour: list[Numbers] = field(default_factory=list)
    _hour: datetime | None = None

    def judge(
        self, conn: sa.Connection, taken: Snapshot, normal: Normal, reach: Reach
    ) -> Iterator[Difference]:
        """A difference for each number that is extreme, and for each component that is unusual together."""
        recent = self._filled(conn, taken.taken_at, int(normal.window + normal.over), reach)
        recent.append(numbers(taken))
        yield from self._extreme(recent[-1])
        self._look_back(conn, taken.taken_at)
        for component in recent[-1]:
            own = [each[component] for each in recent if component in each]
            same = [each[component] for each in self._same_hour if component in each]
            found = judged(own, same, normal)
            if found is not None and found.score >= normal.score:
                yield unusual(component, found)

    def _filled(self, conn: sa.Connection, now: datetime, most: int, reach: Reach) -> deque[Numbers]:
        if self._recent is None or self._recent.maxlen != most or reach != self._reach:
            kept = snapshots.latest(conn, min(_KEPT, max(most, int(reach.window))))
            points = [numbers(each) for each in kept if each.taken_at <= now]
            self._recent, self._reach, self._extremes = deque(points, most), reach, {}
            for point in points:
                for _ in self._extreme(point):
                    pass
        return self._recent

    def _extreme(self, point: Numbers) -> Iterator[Difference]:
        for component, own in point.items():
            for name, value in own.items():
                history = self._extremes.setdefault((component, name), Extremes(self._reach))
                found = history.next(value)
                if found is not None:
                    yield extreme(component, name, found)

    def _look_back(self, conn: sa.Connection, now: datetime) -> None:
        """Once an hour."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour == self._hour:
            return
        self._hour = hour
        self._same_hour = []
        for days in range(1, DAYS + 1):
            start = hour - timedelta(days=days)
            kept = snapshots.between(conn, start, start + _AN_HOUR, most=_A_DAY)
            self._same_hour += [numbers(each) for each in kept]


def numbers(snapshot: Snapshot) -> Numbers:
    """What was measured of each component."""
    found: Numbers = {}
    for probe, name, value in snapshot.measurements():
        own = found.setdefault(snapshot.infrastructure[probe].component, {})
        own[f"{probe}.{name}"] = value
    return found
