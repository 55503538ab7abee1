from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.notify.quiet_hours import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7), BERLIN)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_night_ends_in_the_morning_by_the_clock_of_the_place() -> None:
    assert NIGHT.quiet_until(utc(2026, 11, 24, 20, 59)) is None
    assert NIGHT.quiet_until(utc(2026, 11, 24, 21)) == utc(2026, 11, 25, 6)
    assert NIGHT.quiet_until(utc(2026, 11, 25, 3)) == utc(2026, 11, 25, 6)
    assert NIGHT.quiet_until(utc(2026, 11, 25, 6)) is None
    assert NIGHT.quiet_until(utc(2026, 7, 1, 3)) == utc(2026, 7, 1, 5), "summer time"


def test_days_are_those_on_which_it_begins() -> None:
    weekend = QuietHours(time(18), time(8), UTC, frozenset({4, 5}))
    assert weekend.quiet_until(utc(2026, 11, 27, 19)) == utc(2026, 11, 28, 8), "Friday evening"
    assert weekend.quiet_until(utc(2026, 11, 29, 7)) == utc(2026, 11, 29, 8), "Saturday's night"
    assert weekend.quiet_until(utc(2026, 11, 29, 19)) is None, "Sunday evening"


def test_the_hour_that_comes_twice_is_quiet_twice() -> None:
    early = QuietHours(time(2), time(2, 45), BERLIN)
    second = utc(2026, 10, 25, 1, 30)
    assert early.quiet_until(second) == utc(2026, 10, 25, 1, 45)


@given(st.times(), st.times(), zones, moments)
def test_the_end_is_ahead_and_at_most_a_day_away(start: time, end: time, zone: str, now: datetime) -> None:
    until = QuietHours(start, end, ZoneInfo(zone)).quiet_until(now)
    if until is not None:
        assert timedelta(0) < until - now <= timedelta(hours=25)
