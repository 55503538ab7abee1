from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from firstcause.core.health.snapshot import ActiveAlert, ErrorSummary, ProbeObservation, Snapshot
from firstcause.core.model import Severity, Status
from firstcause.errors import NotFoundError
from firstcause.store import snapshots

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.store.database import Database

HOUR = 3600.0
DAY = 24 * HOUR


def taken(now: datetime, status: str = "UP", **fields: object) -> Snapshot:
    redis = {"status": status, "component": "redis", "latency_ms": 1.25, "detail": "PONG"}
    return Snapshot.model_validate({"taken_at": now, "infrastructure": {"redis": redis}, **fields})


def test_what_is_kept_comes_back_as_it_was(database: Database, now: datetime) -> None:
    whole = taken(
        now,
        errors=ErrorSummary(seconds=300, critical=2, top=(("A", 2),), new=("A",)),
        configuration={"KEY": "0123456789ab"},
        alerts=(ActiveAlert(code="A", severity=Severity.CRITICAL, tenant="acme"),),
        alerts_open=1,
        critical_open=1,
        since={"environment:KEY": now - timedelta(days=1)},
    )
    with database.write() as conn:
        assert snapshots.load_last(conn) is None
        snapshots.add(conn, taken(now), None)
        number = snapshots.add(conn, whole, "all is well")
        found = snapshots.load_last(conn)
        assert found == snapshots.get(conn, str(number))
    assert found is not None
    assert (found.snapshot, found.good, found.pinned_by) == (whole, "all is well", None)


def test_numbers_that_are_none_and_texts_that_no_database_takes_do_no_harm(
    database: Database, now: datetime
) -> None:
    odd = {"free": float("nan"), "most": float("inf"), "text": "a\x00b\ud800c"}
    redis = ProbeObservation(status=Status.DOWN, component="redis", detail="\ud800\x00", data=odd)
    with database.write() as conn:
        snapshots.add(conn, Snapshot(taken_at=now, infrastructure={"redis": redis}), None)
        found = snapshots.load_last(conn)
    assert found is not None
    assert found.snapshot.infrastructure["redis"].data["free"] is None
    assert "redis.free" not in found.snapshot.metrics


def test_a_snapshot_that_is_not_there_is_said(database: Database) -> None:
    with database.read() as conn:
        for name in ("7", "x", "9" * 30, "", "٣"):
            with pytest.raises(NotFoundError, match="no snapshot"):
                snapshots.get(conn, name)


def test_the_last_known_good_is_the_latest_good_one_unless_another_is_pinned(
    database: Database, now: datetime
) -> None:
    with database.write() as conn:
        assert snapshots.load_last_good(conn) is None
        first, second, _third = (
            snapshots.add(conn, taken(now + timedelta(minutes=number)), good)
            for number, good in enumerate(["yes", "yes", None])
        )

        def good(**asked: datetime) -> int | None:
            found = snapshots.load_last_good(conn, **asked)
            return found.snapshot_id if found is not None else None

        assert good() == second
        assert good(before=now + timedelta(minutes=1)) == first
        snapshots.pin(conn, first, now, "ann")
        assert good() == first
        snapshots.pin(conn, second, now, "bob")
        assert (good(), snapshots.unpin(conn), snapshots.unpin(conn)) == (second, 1, 0)


def test_a_series_is_drawn_evenly_where_there_is_too_much_of_it(database: Database, now: datetime) -> None:
    with database.write() as conn:
        for number in range(100):
            snapshots.add(conn, taken(now + timedelta(seconds=number)), None)
        until = now + timedelta(seconds=200)
        found = [
            (each.taken_at - now).total_seconds()
            for each in snapshots.iter_between(conn, now, until, max_count=10)
        ]
        assert found == list(range(9, 100, 10))
        assert len(list(snapshots.iter_between(conn, now, until))) == 100
        assert len(list(snapshots.iter_between(conn, now, until, max_count=1000))) == 100
        assert list(snapshots.iter_between(conn, until, until, max_count=10)) == []


def test_old_ones_become_one_an_hour_and_the_oldest_go_but_for_what_is_held(
    database: Database, now: datetime
) -> None:
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
    with database.write() as conn:
        pinned = snapshots.add(conn, taken(start - timedelta(days=2)), "first")
        snapshots.add(conn, taken(start - timedelta(hours=12)), "second")
        snapshots.pin(conn, pinned, now, "ann")
        for number in range(30 * 12):
            status = "DOWN" if number == 5 else "UP"
            snapshots.add(conn, taken(start + timedelta(minutes=5 * number), status), None)
        gone = snapshots.roll_up(conn, now, 6 * HOUR, 2 * DAY)
        rows = snapshots.list_snapshots(conn, 1000)
        assert gone == 362 - len(rows)
        assert [row["id"] for row in rows if row["id"] <= 2] == [2, 1]
        old = [row for row in rows if row["taken_at"] < now - timedelta(hours=7) and row["id"] > 2]
        assert len(old) == len({row["taken_at"].replace(minute=0) for row in old}) == 23
        assert [row["status"] for row in old].count("DOWN") == 1
        assert snapshots.roll_up(conn, now, 6 * HOUR, 2 * DAY) == 0
        snapshots.unpin(conn)
        assert snapshots.roll_up(conn, now, 6 * HOUR, DAY) == 1 + sum(
            row["taken_at"] < now - timedelta(days=1) for row in old
        )


def test_the_latest_good_state_is_never_dropped(database: Database, now: datetime) -> None:
    with database.write() as conn:
        good = snapshots.add(conn, taken(now - timedelta(days=900)), "good")
        snapshots.add(conn, taken(now - timedelta(days=899)), None)
        assert snapshots.roll_up(conn, now, DAY, 2 * DAY) == 1
        assert [row["id"] for row in snapshots.list_snapshots(conn, 9)] == [good]


def test_a_year_of_five_minute_snapshots_is_small(database: Database, now: datetime) -> None:
    """30 probes with numbers that are never the same: 30 days whole, the rest by the hour."""
    chance = random.Random(5)
    sizes = []
    for _ in range(50):
        seen = {
            f"probe-{number}": ProbeObservation(
                status=Status.UP,
                component=f"component-{number}",
                detail=f"answered in {chance.random() * 9:.3f} ms",
                latency_ms=chance.random() * 100,
                p95_ms=chance.random() * 100,
                p99_ms=chance.random() * 100,
                data={f"measurement_{n}": chance.random() for n in range(6)},
            )
            for number in range(30)
        }
        variables = {f"VARIABLE_{n}": f"{n:012x}" for n in range(40)}
        sizes.append(
            len(snapshots.compress(Snapshot(taken_at=now, infrastructure=seen, configuration=variables)))
        )
    kept = 30 * 24 * 12 + (365 - 30) * 24
    assert kept * max(sizes) < 500e6 / 2
