"""The watchdog message is due once a day, by the wall clock of its zone, and never long after its time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.selfcheck.watchdog import GRACE, WatchdogSchedule, format_watchdog

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 27, 0, 0, tzinfo=UTC)
"""Two days before clocks are set forward in Berlin."""


@given(
    st.times().map(lambda at: at.replace(tzinfo=None, microsecond=0)),
    st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
    st.sampled_from([START, datetime(2026, 10, 24, tzinfo=UTC)]),
    st.integers(5, 3000),
)
def test_once_a_day_whatever_the_clocks_do(at: time, zone: ZoneInfo, start: datetime, step_s: int) -> None:
    schedule, last_sent, sent = WatchdogSchedule(at, zone), None, []
    now = start
    while now < start + timedelta(days=5):
        due = schedule.find_due(now, last_sent)
        if due is not None:
            assert due <= now < due + GRACE
            last_sent = now
            sent.append(due.astimezone(zone).date())
        now += timedelta(seconds=step_s)
    assert len(sent) == len(set(sent))
    assert len(sent) in {5, 6}, "the first one may have been due within the hour before the start"


def test_only_on_its_days_and_not_after_an_hour() -> None:
    schedule = WatchdogSchedule(time(9), BERLIN, frozenset({0}))
    monday = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    assert schedule.find_due(monday, None) == monday
    assert schedule.find_due(monday - timedelta(seconds=1), None) is None
    assert schedule.find_due(monday + timedelta(minutes=59), None) == monday
    assert schedule.find_due(monday + timedelta(minutes=60), None) is None
    assert schedule.find_due(monday + timedelta(minutes=1), monday) is None
    assert schedule.find_due(monday + timedelta(days=1), None) is None
    assert schedule.find_due(monday + timedelta(days=7), monday) == monday + timedelta(days=7)


def test_the_text_says_what_is_open_and_what_was_heard() -> None:
    now = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    said = format_watchdog({"P1": 2, "P0": 1}, now - timedelta(minutes=4), 1, now)
    assert said == (
        "firstcause is alive: 3 open (1 P0, 2 P1), last event 4 min ago; 1 of its own parts need attention"
    )
    assert format_watchdog({}, None, 0, now) == "firstcause is alive: nothing open, no event so far"
