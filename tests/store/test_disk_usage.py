"""How large the store is, and what goes so that it fits. The dates of all events are far from old."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from firstcause.store import alerts, disk_usage, event_log, retention
from firstcause.store.event_log import EventRecord
from firstcause.store.tables import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from firstcause.core.model import Alert
    from firstcause.store.database import Database

NONE = timedelta(days=1000)


@pytest.fixture
def store_url(new_store_url: str) -> str:
    """Nothing that an earlier test left is in the files that are measured."""
    return new_store_url


def fill(database: Database, now: datetime, count: int, length: float, fingerprint: str | None = None) -> int:
    """Events of about that length, no two alike; returns the id of the last."""
    chance = random.Random(count)
    with database.write() as conn:
        rows = [
            EventRecord(str(uuid.uuid4()), f'{{"m":"{chance.randbytes(int(own / 2)).hex()}"}}', fingerprint)
            for own in (chance.lognormvariate(0, 0.4) * length for _ in range(count))
        ]
        event_log.append(conn, rows, now)
        return int(conn.execute(sa.select(sa.func.max(event.c.id))).scalar_one())


def taken(database: Database) -> int:
    with database.read() as conn:
        return disk_usage.measure_store(conn)


def over(database: Database, room: int) -> int:
    with database.read() as conn:
        return disk_usage.measure_excess(conn, room)


def kept(database: Database) -> list[int]:
    with database.read() as conn:
        return list(conn.execute(sa.select(event.c.id).order_by(event.c.id)).scalars())


def past(now: datetime, room: int) -> retention.RetentionLimits:
    return retention.RetentionLimits(now - NONE, now - NONE, 1_000_000, room)


def reuse(database: Database) -> None:
    """What Postgres does by itself, sooner or later."""
    if not database.is_sqlite:
        url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("VACUUM event")


def test_the_oldest_go_until_it_fits_and_no_more(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENT_CHUNK_SIZE", 100)
    empty = taken(database)
    last = fill(database, now, 4000, 800)
    full = taken(database)
    room = (empty + full) // 2
    with database.read() as conn:
        expected = retention.count_prunable(conn, past(now, room))
    gone = list(retention.prune(database, past(now, room)))
    assert max(each.events for each in gone) <= 100, "in small transactions"
    left = kept(database)
    assert left == list(range(left[0], last + 1)), "the newest stay"
    assert over(database, room) == 0
    assert 1700 < len(left) < 2300, "about half of what was to go is half"
    assert expected.excess_bytes == 0
    assert expected.events == pytest.approx(4000 - len(left), rel=0.15)
    # Neither files that stay large nor rows that wait for a vacuum let more go.
    assert taken(database) >= full
    assert list(retention.prune(database, past(now, room))) == []


def test_what_fits_stays_and_so_does_all_without_a_limit(database: Database, now: datetime) -> None:
    fill(database, now, 100, 500)
    for room in (taken(database), None):
        what = retention.RetentionLimits(now - NONE, now - NONE, 1_000_000, room)
        assert list(retention.prune(database, what)) == []
        with database.read() as conn:
            assert retention.count_prunable(conn, what) == (0, 0, 0)
    assert len(kept(database)) == 100


def test_what_was_freed_is_used_again(database: Database, now: datetime) -> None:
    room = taken(database) + 2_000_000
    for _ in range(6):
        fill(database, now, 1000, 800)
        list(retention.prune(database, past(now, room)))
        reuse(database)
    assert len(kept(database)) > 1000
    # The events of a round come before the oldest go.
    assert taken(database) < room + 1_500_000


def test_what_is_active_stays_and_it_is_said_how_much_too_much_that_is(
    database: Database, now: datetime, an_alert: Callable[..., Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENT_CHUNK_SIZE", 50)
    with database.write() as conn:
        alerts.save(conn, [an_alert("active")])
    empty = taken(database)
    for _ in range(3):
        fill(database, now, 100, 800, "active")
        fill(database, now, 100, 800, "over")
        fill(database, now, 100, 800)
    what = past(now, empty + 10_000)
    with database.read() as conn:
        expected = retention.count_prunable(conn, what)
    found = list(retention.prune(database, what))
    assert sum(each.events for each in found) == expected.events == 600
    assert len(kept(database)) == 300
    assert [each.excess_bytes for each in found if each.excess_bytes] == [over(database, empty + 10_000)]
    assert expected.excess_bytes == pytest.approx(found[-1].excess_bytes, rel=0.4)
    with database.write() as conn:
        ended = alerts.load_active(conn)[0].model_copy(update={"resolved_at": now})
        alerts.save(conn, [ended])
    assert sum(each.events for each in retention.prune(database, what)) > 250
    assert over(database, empty + 10_000) == 0


def test_an_alert_that_is_back_meanwhile_keeps_its_events(
    database: Database, now: datetime, an_alert: Callable[..., Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, now, 100, 500, "back")
    fill(database, now, 100, 500)
    looked = retention.select_until_freed

    def meanwhile(rows: list[tuple[int, int]], need: int) -> tuple[list[int], int]:
        with database.write() as conn:
            if not alerts.load_active(conn):
                alerts.save(conn, [an_alert("back")])
        return looked(rows, need)

    monkeypatch.setattr(retention, "select_until_freed", meanwhile)
    assert sum(each.events for each in retention.prune(database, past(now, 0))) == 100
    with database.read() as conn:
        left = conn.execute(sa.select(event.c.fingerprint)).scalars().all()
    assert left == ["back"] * 100


@pytest.mark.parametrize(("count", "length"), [(4000, 200), (2000, 1000), (600, 5000), (150, 40_000)])
def test_the_size_of_an_event_is_about_what_it_takes(
    database: Database, now: datetime, count: int, length: int
) -> None:
    empty = taken(database)
    fill(database, now, count, length)
    with database.read() as conn:
        told = conn.execute(sa.select(sa.func.sum(disk_usage.estimate_event_size(conn)))).scalar_one()
    assert float(told) == pytest.approx(taken(database) - empty, rel=0.2)


def test_a_sample_of_the_pages_says_nearly_what_all_of_them_say(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = fill(database, now, 8000, 800)
    with database.write() as conn:
        conn.execute(event.delete().where(event.c.id < last - 4000))
    used = over(database, 0)
    assert used < 0.8 * taken(database)
    monkeypatch.setattr(disk_usage, "SAMPLE_PAGES", 400)
    assert over(database, 0) == pytest.approx(used, rel=0.15)
    assert over(database, 0) == over(database, 0), "the same pages each time"


@given(st.lists(st.integers(1, 1000)), st.integers(1, 20_000))
def test_enough_is_the_fewest_of_the_first_that_suffice(own: list[int], need: int) -> None:
    ids, freed = retention.select_until_freed(list(enumerate(own)), need)
    assert ids == list(range(len(ids)))
    assert freed == sum(own[: len(ids)])
    assert freed >= need or len(ids) == len(own)
    assert not ids or freed - own[ids[-1]] < need
