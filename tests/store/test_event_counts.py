from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from firstcause.core.model import Severity
from firstcause.store import alerts, event_counts

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.store.database import Database

CRITICAL, INFO = Severity.CRITICAL, Severity.INFO


@pytest.fixture
def minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def test_batches_of_a_minute_add_up(database: Database, minute: datetime) -> None:
    with database.write() as conn:
        event_counts.record(conn, {("A", CRITICAL): 3, ("B", INFO): 1}, minute + timedelta(seconds=3))
        event_counts.record(conn, {("A", CRITICAL): 2}, minute + timedelta(seconds=59.9))
        event_counts.record(conn, {("A", CRITICAL): 7}, minute + timedelta(seconds=60))
        event_counts.record(conn, {}, minute)
        found = event_counts.load_between(conn, minute, minute + timedelta(seconds=60))
        assert [(each.at, each.code, each.severity, each.count) for each in found] == [
            (minute, "A", CRITICAL, 5), (minute, "B", INFO, 1),
        ]  # fmt: skip
        assert len(event_counts.load_between(conn, minute, minute + timedelta(seconds=61))) == 3


def test_invented_codes_do_not_fill_the_store(database: Database, minute: datetime) -> None:
    with database.write() as conn:
        event_counts.record(conn, {(f"CODE_{number}", INFO): number for number in range(1, 5001)}, minute)
        found = event_counts.load_between(conn, minute, minute + timedelta(minutes=1))
    assert len(found) == event_counts.MAX_CODES + 1
    assert sum(each.count for each in found) == sum(range(5001))
    assert {each.count for each in found if each.code != event_counts.OTHER_CODES} == set(range(4901, 5001))


def test_old_minutes_become_hours_and_lose_no_error(database: Database, minute: datetime) -> None:
    start = minute.replace(minute=0) - timedelta(hours=5)
    with database.write() as conn:
        for number in range(300):
            event_counts.record(conn, {("A", INFO): 1}, start + timedelta(minutes=number))
        for _ in range(2):
            event_counts.roll_up(conn, minute, 3 * 3600.0, 30 * 86400.0)
            found = event_counts.load_between(conn, start, minute)
            assert sum(each.count for each in found) == 300
            assert len([each for each in found if each.count == 60]) == 2
        event_counts.roll_up(conn, minute, 3600.0, 2 * 3600.0)
        assert min(each.at for each in event_counts.load_between(conn, start, minute)) >= minute - timedelta(
            hours=2
        )


def test_quiet_minutes_are_there_too(database: Database, minute: datetime) -> None:
    with database.write() as conn:
        event_counts.record(conn, {("A", INFO): 4}, minute + timedelta(minutes=1))
        counted = event_counts.load_between(conn, minute, minute + timedelta(minutes=3))
    points = event_counts.group_by_minute(counted, minute, minute + timedelta(minutes=3))
    assert [value for _, value in points] == [0.0, 4.0, 0.0]


def test_codes_that_were_never_seen_before(database: Database, now: datetime) -> None:
    with database.write() as conn:
        for number, code in enumerate(["OLD", "NEW", "NEWER", "OUR_OWN_PROBES"]):
            seen = now + timedelta(minutes=number)
            if number < 3:
                event_counts.record(conn, {(code, INFO): 1}, seen)
            alerts.register(
                conn,
                [{"code": code, "title": code, "catalogued": False, "severity": "INFO",
                  "first_seen": seen, "last_seen": seen, "count": 1}],
            )  # fmt: skip
        assert event_counts.find_new_codes(conn, now, 10) == ["NEW", "NEWER"]
        assert event_counts.find_new_codes(conn, now, 1) == ["NEW"]
