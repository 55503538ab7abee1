from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from firstcause.core.model import (
    Alert,
    Impact,
    Incident,
    IncidentStatus,
    Priority,
    Revenue,
    Root,
    Severity,
    TenantScope,
)
from firstcause.core.notification import NotifyReason
from firstcause.errors import NotFoundError, StoreError
from firstcause.store import alerts, event_log, incidents, outbox
from firstcause.store.event_log import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from firstcause.store.database import Database

    AlertMaker = Callable[..., Alert]
    IncidentMaker = Callable[..., Incident]


def save(database: Database, *each: Incident) -> list[int]:
    with database.write() as conn:
        return [incidents.save(conn, one) for one in each]


def test_an_incident_comes_back_as_it_was(
    database: Database, an_incident: IncidentMaker, now: datetime
) -> None:
    whole = an_incident(
        "f",
        root=Root(code="DB-001", service="api", tenant="acme"),
        priority=Priority.P1,
        severity=Severity.WARNING,
        impact=Impact(
            priority=Priority.P1,
            revenue=Revenue.HIGH,
            features=("pay", "log in"),
            tenants=TenantScope.SPECIFIC,
            customer_facing=True,
            companies=("acme",),
        ),
        status=IncidentStatus.RESOLVED,
        resolved_at=now + timedelta(hours=1),
        fix="restart it",
        suppressed=True,
    )
    (row,) = save(database, whole)
    with database.read() as conn:
        assert incidents.get(conn, str(row)) == whole.model_copy(update={"stored_id": row})


def test_save_updates_what_has_a_row(database: Database, an_incident: IncidentMaker) -> None:
    (row,) = save(database, an_incident("f"))
    assert save(database, an_incident("g", stored_id=row, title="now this")) == [row]
    with database.read() as conn:
        (only,) = incidents.load_open(conn)
    assert (only.stored_id, only.fault, only.title) == (row, "g", "now this")


def test_one_fault_has_one_open_incident(
    database: Database, an_incident: IncidentMaker, now: datetime
) -> None:
    (row,) = save(database, an_incident("f"))
    with pytest.raises(StoreError):
        save(database, an_incident("f"))
    save(database, an_incident("f", stored_id=row, status=IncidentStatus.RESOLVED, resolved_at=now))
    assert save(database, an_incident("f")) != [row]


def test_the_list_is_newest_first_and_leaves_out_the_merged(
    database: Database, an_incident: IncidentMaker, now: datetime
) -> None:
    first, second, third = save(
        database, an_incident("a", status=IncidentStatus.RESOLVED), an_incident("b"), an_incident("c")
    )
    with database.write() as conn:
        incidents.merge(conn, second, third, now)

    def listed(status: str | None, limit: int = 10) -> list[int | None]:
        with database.read() as conn:
            return [each.stored_id for each in incidents.list_incidents(conn, status, limit)]

    assert listed(None) == [third, first]
    assert listed(None, 1) == [third]
    assert listed("open") == [third]
    assert listed("resolved") == [first]
    assert listed("merged") == [second]
    with database.read() as conn:
        assert [each.stored_id for each in incidents.load_open(conn)] == [third]


def test_a_merged_incident_is_found_where_it_lives_on(
    database: Database, an_incident: IncidentMaker, an_alert: AlertMaker, now: datetime
) -> None:
    first, second, third = save(database, an_incident("a"), an_incident("b"), an_incident("c"))
    with database.write() as conn:
        alerts.save(conn, [an_alert("x", incident_id=first), an_alert("y", incident_id=second)])
        incidents.merge(conn, first, second, now)
        incidents.merge(conn, second, third, now)
    with database.read() as conn:
        for number in (first, second, third):
            assert incidents.get(conn, str(number)).stored_id == third
        members = alerts.load_by_incident(conn, [first, second, third])
        merged = incidents.list_incidents(conn, "merged", 10)
    assert [each.fingerprint for each in members[third]] == ["x", "y"]
    assert members[first] == members[second] == []
    assert [each.resolved_at for each in merged] == [now, now]


@pytest.mark.parametrize(
    "number",
    ["", "0", "-1", "999", "1.0", " 1", "1;", "one", "\u0661", "\u00b2", "9" * 15, "9" * 400, "1\x00"],
)
def test_a_number_that_is_none_is_not_found(database: Database, number: str) -> None:
    with database.read() as conn, pytest.raises(NotFoundError, match="`firstcause incidents` lists them"):
        incidents.get(conn, number)


def test_the_timeline_is_in_the_order_of_writing(database: Database, number: int, now: datetime) -> None:
    with database.write() as conn:
        incidents.add_timeline_entry(conn, number, now, "opened", reason="first\x00")
        incidents.add_timeline_entry(conn, number, now - timedelta(hours=1), "resolved", actor="anna")
        lines = incidents.load_timeline(conn, number)
        assert incidents.load_timeline(conn, number + 1) == []
    assert [(each["at"], each["what"], each["reason"]) for each in lines] == [
        (now, "opened", "first\ufffd"),
        (now - timedelta(hours=1), "resolved", None),
    ]
    assert lines[0]["actor"] != "anna"
    assert lines[1]["actor"] == "anna"


def test_the_notifications_are_those_of_the_incident(database: Database, number: int, now: datetime) -> None:
    with database.write() as conn:
        outbox.add(conn, number, NotifyReason.FIRST, now, {"all": ["sms"]})
        (row,) = outbox.claim(conn, now)
        for status, error in (("failed", "no answer"), ("sent", None)):
            outbox.add_log_entry(
                conn,
                {
                    "incident_id": number,
                    "outbox_id": row.id,
                    "at": now,
                    "reason": "first",
                    "notifier": "sms",
                    "status": status,
                    "code": "DB-001",
                    "severity": "CRITICAL",
                    "priority": "P0",
                    "text": "the database is down",
                    "reference": None,
                    "error": error,
                    "maybe_repeat": False,
                    "intelligence": {"root": "DB-001"},
                },
            )
        found = incidents.load_notifications(conn, number)
        assert incidents.load_notifications(conn, number + 1) == []
    assert [(each["at"], each["status"], each["error"], each["maybe_repeat"]) for each in found] == [
        (now, "failed", "no answer", False),
        (now, "sent", None, False),
    ]


def test_the_incident_of_an_event_is_the_newest_with_its_alert(
    database: Database, an_incident: IncidentMaker, an_alert: AlertMaker, now: datetime
) -> None:
    old, new = save(database, an_incident("a", status=IncidentStatus.RESOLVED), an_incident("a"))
    with database.write() as conn:
        event_log.append(
            conn, [EventRecord("folded", "{}", "x"), EventRecord("alone", "{}", None, "unreadable")], now
        )
        assert incidents.find_by_event(conn, "folded") is None
        alerts.save(conn, [an_alert("x", incident_id=old, resolved_at=now), an_alert("x", incident_id=new)])
        assert incidents.find_by_event(conn, "folded") == new
        assert incidents.find_by_event(conn, "alone") is None
        assert incidents.find_by_event(conn, "unknown") is None
        assert incidents.find_by_event(conn, "un\x00known") is None
