"""Times at which firstcause did not run, which count neither as unanswered nor as unreported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True)
class RestartPolicy:
    """What happens after a downtime; rule files set these as thresholds `restart_...`. All in seconds.

    hold: a downtime from which on nothing is sent or ended before the first look is over.
    wait: how long the first look may take.
    report: a downtime from which on people are notified of what is still open.
    """

    hold: float = 60.0
    wait: float = 60.0
    report: float = 900.0


@dataclass(frozen=True)
class Downtime:
    """A time at which no daemon ran."""

    began_at: datetime
    ended_at: datetime

    @property
    def duration_s(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


def skip_downtime(since: datetime, downtimes: Iterable[Downtime]) -> datetime:
    """Move a time forward by every downtime after it, so that only the time that firstcause ran counts.

    downtimes: without overlaps.
    """
    shifted = since
    for downtime in downtimes:
        if downtime.ended_at > since:
            shifted += downtime.ended_at - max(downtime.began_at, since)
    return shifted
