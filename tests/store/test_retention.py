from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.model import IncidentStatus
from firstcause.core.notification import NotifyReason
from firstcause.store import alerts, cause_overrides, event_log, incidents, outbox, retention
from firstcause.store.cause_overrides import CauseOverride
from firstcause.store.event_log import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pytest

    from firstcause.core.model import Alert, Incident
    from firstcause.store.database import Database


NOTHING = retention.PruneCount(0, 0)


def past(
    now: datetime, *, events: float = 30, incidents: float = 400, most: int = 1000
) -> retention.RetentionLimits:
    return retention.RetentionLimits(now - timedelta(days=events), now - timedelta(days=incidents), most)


def took(database: Database, what: retention.RetentionLimits) -> retention.PruneCount:
    gone = list(retention.prune(database, what))
    return retention.PruneCount(*(sum(each) for each in zip(*gone, strict=True))) if gone else NOTHING


def pruned(database: Database, what: retention.RetentionLimits) -> tuple[int, int]:
    with database.read() as conn:
        expected = retention.count_prunable(conn, what)
    found = took(database, what)
    assert found == expected, "a dry run says what a real one does"
    return found.events, found.incidents


def kept(database: Database, *names: str) -> set[str]:
    with database.read() as conn:
        return event_log.find_existing(conn, names)


def keep(database: Database, at: datetime, fingerprint: str | None, *names: str) -> None:
    with database.write() as conn:
        event_log.append(conn, [EventRecord(name, "{}", fingerprint) for name in names], at)


def test_old_events_go_and_young_ones_stay(database: Database, now: datetime) -> None:
    keep(database, now - timedelta(days=31), "p", "old")
    keep(database, now - timedelta(days=31), None, "old and unreadable")
    keep(database, now - timedelta(days=29), "p", "young")
    assert pruned(database, past(now)) == (2, 0)
    assert kept(database, "old", "old and unreadable", "young") == {"young"}
    assert pruned(database, past(now)) == (0, 0)


def test_no_more_than_so_many_stay(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENT_CHUNK_SIZE", 7)
    keep(database, now, "p", *(f"e{number}" for number in range(50)))
    assert pruned(database, past(now, most=20)) == (30, 0)
    names = [f"e{number}" for number in range(50)]
    assert kept(database, *names) == set(names[30:])


def test_what_is_open_keeps_its_events(
    database: Database,
    now: datetime,
    an_alert: Callable[..., Alert],
    an_incident: Callable[..., Incident],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "EVENT_CHUNK_SIZE", 1)
    long_ago = now - timedelta(days=900)
    with database.write() as conn:
        number = incidents.save(conn, an_incident("f", opened_at=long_ago))
        ended = {"resolved_at": long_ago, "incident_id": number}
        alerts.save(conn, [an_alert("cascade that ended", **ended), an_alert("active", first_seen=long_ago)])
    keep(database, long_ago, "cascade that ended", "a")
    keep(database, long_ago, "of nobody", "b")
    keep(database, long_ago, "active", "c")
    keep(database, long_ago, "of nobody", "d")
    assert pruned(database, past(now, most=0)) == (2, 0)
    assert kept(database, *"abcd") == {"a", "c"}
    with database.read() as conn:
        assert incidents.get(conn, str(number)).stored_id == number


def test_incidents_that_ended_long_ago_go_with_all_that_hangs_on_them(
    database: Database, now: datetime, an_alert: Callable[..., Alert], an_incident: Callable[..., Incident]
) -> None:
    old, young = now - timedelta(days=401), now - timedelta(days=399)
    with database.write() as conn:
        numbers = [incidents.save(conn, an_incident(name)) for name in "abcd"]
        gone, absorbed, deeper, stays = numbers
        rows = alerts.save(
            conn,
            [
                an_alert("of the old", incident_id=gone, resolved_at=old),
                an_alert("of none", resolved_at=old),
                an_alert("of the young", incident_id=stays, resolved_at=young),
            ],
        )
        cause_overrides.add(conn, CauseOverride(rows["of the old"], rows["of none"], old, "ada"))
        for each in numbers:
            incidents.add_timeline_entry(conn, each, old, "opened")
            outbox.add(conn, each, NotifyReason.FIRST, old, {"on call": ["console"]})
        incidents.merge(conn, deeper, absorbed, old)
        incidents.merge(conn, absorbed, gone, old)
        for each, end in ((gone, old), (stays, young)):
            found = incidents.get(conn, str(each))
            over = {"status": IncidentStatus.RESOLVED, "resolved_at": end}
            incidents.save(conn, found.model_copy(update=over))
    gone_now = list(retention.prune(database, past(now)))
    assert sum(each[1] for each in gone_now) == 3
    with database.read() as conn:
        assert [each.stored_id for each in incidents.list_incidents(conn, None, None)] == [stays]
        assert incidents.load_timeline(conn, gone) == []
        assert len(incidents.load_timeline(conn, stays)) == 1
        assert alerts.load_last_ended(conn, ["of the old", "of none", "of the young"]).keys() == {
            "of the young"
        }
        assert cause_overrides.load_active(conn) == []
    assert list(retention.prune(database, past(now))) == []


def test_space_is_given_back(database: Database, now: datetime) -> None:
    keep(database, now - timedelta(days=31), "p", *(f"e{number}" for number in range(5000)))
    assert pruned(database, past(now)) == (5000, 0)
    database.vacuum()
    if database.is_sqlite:
        with database.read() as conn:
            assert conn.exec_driver_sql("PRAGMA freelist_count").scalar() == 0
