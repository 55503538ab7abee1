"""Releases that were seen: each new once, of each service, and never without bound."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.store import releases
from firstcause.store.releases import Deployment

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

    from firstcause.store.database import Database


def test_a_release_takes_the_place_of_the_one_before_it(database: Database, now: datetime) -> None:
    hour = timedelta(hours=1)
    with database.write() as conn:
        releases.record(conn, {("shop", "1"): now, ("mail", "9"): now})
        releases.record(conn, {("shop", "2"): now + hour, ("shop", "1"): now + hour, ("", "x"): now})
        releases.record(conn, {("shop", "3"): now + 2 * hour, ("", "y"): now + hour})
    with database.read() as conn:
        assert releases.list_deployments(conn, now - hour, now + 9 * hour) == [
            Deployment(None, "x", "y", now + hour),
            Deployment("shop", "1", "2", now + hour),
            Deployment("shop", "2", "3", now + 2 * hour),
        ]
        assert releases.list_deployments(conn, now + hour, now + 2 * hour) == [
            Deployment("shop", "2", "3", now + 2 * hour)
        ]
        assert releases.list_deployments(conn, now + 3 * hour, now + 9 * hour) == []


def test_the_latest_of_each_service_are_kept(database: Database, now: datetime) -> None:
    with database.write() as conn:
        for number in range(50):
            releases.record(conn, {("shop", f"{number}"): now + timedelta(seconds=number)})
    with database.read() as conn:
        found = releases.list_deployments(conn, now - timedelta(days=1), now + timedelta(days=1))
    assert [each.after for each in found] == [f"{number}" for number in range(31, 50)]


def test_names_without_end_do_not_fill_the_store(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "MAX_RELEASES", 30)
    with database.write() as conn:
        for number in range(10):
            seen = {(f"service {number} {each}", "1"): now for each in range(10)}
            releases.record(conn, seen)
        count = conn.exec_driver_sql('SELECT count(*) FROM "release"').scalar_one()
    assert count == 30
