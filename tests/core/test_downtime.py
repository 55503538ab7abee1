"""Times at which firstcause did not run do not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.downtime import Downtime, skip_downtime

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
seconds = st.integers(0, 10**6)


def time(offset_s: float) -> datetime:
    return START + timedelta(seconds=offset_s)


@st.composite
def downtime_lists(draw: st.DrawFn) -> list[Downtime]:
    edges = sorted(draw(st.sets(seconds, min_size=0, max_size=12)))
    return [Downtime(time(began), time(ended)) for began, ended in list(pairwise(edges))[::2]]


def measure_uptime(since: int, until: int, downtimes: list[Downtime]) -> int:
    """Count the seconds in between at which firstcause ran, one by one over the edges."""
    edges = sorted({since, until, *(s for d in downtimes for s in _offsets(d) if since < s < until)})
    return sum(
        later - earlier
        for earlier, later in pairwise(edges)
        if not any(began <= earlier and later <= ended for began, ended in map(_offsets, downtimes))
    )


def _offsets(downtime: Downtime) -> tuple[int, int]:
    began, ended = downtime.began_at - START, downtime.ended_at - START
    return int(began.total_seconds()), int(ended.total_seconds())


@given(seconds, downtime_lists())
def test_what_is_left_is_the_time_that_it_ran(since: int, downtimes: list[Downtime]) -> None:
    now = 10**6 + 1
    left_s = (time(now) - skip_downtime(time(since), downtimes)).total_seconds()
    assert left_s == measure_uptime(since, now, downtimes)


@given(seconds, seconds, downtime_lists())
def test_the_order_of_times_stays(first: int, second: int, downtimes: list[Downtime]) -> None:
    earlier, later = sorted((time(first), time(second)))
    assert skip_downtime(earlier, downtimes) <= skip_downtime(later, downtimes)
