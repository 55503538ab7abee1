from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from firstcause.core.model import Alert, Role, Sample, Severity, Source, Verdict, VerdictKind
from firstcause.errors import StoreError
from firstcause.store import alerts
from firstcause.store.tables import notification_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from firstcause.store.database import Database

    AlertMaker = Callable[..., Alert]


def save(database: Database, *each: Alert) -> dict[str, int]:
    with database.write() as conn:
        return alerts.save(conn, each)


def active(database: Database) -> list[Alert]:
    with database.read() as conn:
        return alerts.load_active(conn)


def test_an_alert_comes_back_as_it_was(
    database: Database, an_alert: AlertMaker, number: int, now: datetime
) -> None:
    whole = an_alert(
        "whole",
        severity=Severity.WARNING,
        component="postgres",
        tenant="acme",
        service="api",
        probe="disk",
        count=2**40,
        caused_by="other",
        role=Role.CASCADE,
        incident_id=number,
        sample=Sample(
            message="m", details={"a": [1, None]}, source=Source(file="a.py"), stack="s", tags={"k": "v"}
        ),
        verdicts=(
            Verdict(
                rule="r",
                file="f.yaml",
                line=3,
                verdict=VerdictKind.CASCADE,
                of="whole",
                by="other",
                because="why",
                confidence=0.5,
                facts={"a": {"kind": "alert", "id": "whole", "n": 1, "list": ["x"]}},
            ),
        ),
    )
    new = save(database, whole)
    assert active(database) == [whole.model_copy(update={"stored_id": new["whole"]})]


def test_an_alert_without_a_sample_comes_back_with_an_empty_one(
    database: Database, an_alert: AlertMaker
) -> None:
    save(database, an_alert("a"))
    assert active(database)[0].sample == Sample()


def test_save_inserts_the_new_and_updates_the_others(database: Database, an_alert: AlertMaker) -> None:
    first = save(database, an_alert("a"), an_alert("b"))
    assert set(first) == {"a", "b"}
    changed = an_alert("a", stored_id=first["a"], count=7, title="changed")
    assert set(save(database, changed, an_alert("c"))) == {"c"}
    assert [(each.fingerprint, each.count) for each in active(database)] == [("a", 7), ("b", 1), ("c", 1)]
    assert active(database)[0].title == "changed"


def test_one_fingerprint_has_one_active_alert(
    database: Database, an_alert: AlertMaker, now: datetime
) -> None:
    row = save(database, an_alert("a"))["a"]
    with pytest.raises(StoreError):
        save(database, an_alert("b"), an_alert("a"))
    assert [each.fingerprint for each in active(database)] == ["a"]
    save(database, an_alert("a", stored_id=row, resolved_at=now))
    assert save(database, an_alert("a"))["a"] != row


def test_active_and_ended_by_fingerprint(database: Database, an_alert: AlertMaker, now: datetime) -> None:
    for count in (1, 2):
        save(database, an_alert("a", resolved_at=now, count=count))
    save(database, an_alert("a", count=3), an_alert("b", resolved_at=now), an_alert("c"))
    names = ["a", "b", "c", "unknown"]
    with database.read() as conn:
        found = alerts.load_active_by_fingerprint(conn, names)
        ended = alerts.load_last_ended(conn, names)
    assert {name: each.count for name, each in found.items()} == {"a": 3, "c": 1}
    assert {name: each.count for name, each in ended.items()} == {"a": 2, "b": 1}
    assert ended["a"].resolved_at == now


def test_more_names_than_one_statement_takes(database: Database, an_alert: AlertMaker, now: datetime) -> None:
    names = [f"n{number}" for number in range(1201)]
    save(database, *(an_alert(name) for name in names), *(an_alert(name, resolved_at=now) for name in names))
    with database.read() as conn:
        assert set(alerts.load_active_by_fingerprint(conn, names)) == set(names)
        assert set(alerts.load_last_ended(conn, set(names))) == set(names)
        assert alerts.load_active_by_fingerprint(conn, []) == {}
        assert alerts.load_last_ended(conn, []) == {}


def test_of_incidents_gives_each_its_alerts_in_the_order_of_their_start(
    database: Database, an_alert: AlertMaker, number: int, now: datetime
) -> None:
    save(
        database,
        an_alert("late", incident_id=number, first_seen=now + timedelta(microseconds=1)),
        an_alert("early", incident_id=number, resolved_at=now),
        an_alert("none"),
    )
    with database.read() as conn:
        found = alerts.load_by_incident(conn, [number, number + 1])
        assert alerts.load_by_incident(conn, []) == {}
    assert {key: [each.fingerprint for each in value] for key, value in found.items()} == {
        number: ["early", "late"],
        number + 1: [],
    }


def test_late_occurrences_are_added(database: Database, an_alert: AlertMaker, now: datetime) -> None:
    row = save(database, an_alert("a", resolved_at=now, count=4))["a"]
    with database.write() as conn:
        alerts.count_late(conn, {row: 3})
        alerts.count_late(conn, {row: 1})
        assert alerts.load_last_ended(conn, ["a"])["a"].count == 8


def test_end_ends_what_is_active_and_nothing_else(
    database: Database, an_alert: AlertMaker, number: int, now: datetime
) -> None:
    before = now - timedelta(hours=1)
    save(
        database,
        an_alert("a", incident_id=number),
        an_alert("b", incident_id=number, resolved_at=before),
        an_alert("other"),
    )
    with database.write() as conn:
        alerts.resolve_all(conn, number, now)
        ended = {
            each.fingerprint: each.resolved_at for each in alerts.load_by_incident(conn, [number])[number]
        }
    assert ended == {"a": now, "b": before}
    assert [each.fingerprint for each in active(database)] == ["other"]


def test_the_registry_keeps_the_first_time_and_adds_up(database: Database, now: datetime) -> None:
    def seen(code: str, **fields: Any) -> dict[str, Any]:
        values = {"title": "t", "catalogued": False, "severity": "INFO", "first_seen": now, "last_seen": now}
        return {"code": code, "count": 1} | values | fields

    later = now + timedelta(days=1)
    with database.write() as conn:
        alerts.register(conn, [seen("A", count=2), seen("B")])
        alerts.register(conn, [])
        alerts.register(
            conn,
            [
                seen("A", count=3, title="new", catalogued=True, severity="CRITICAL")
                | {"first_seen": later, "last_seen": later}
            ],
        )
        rows = conn.execute(sa.select(notification_registry).order_by("code")).mappings().all()
    assert [dict(row) for row in rows] == [
        seen("A", count=5, title="new", catalogued=True, severity="CRITICAL", last_seen=later),
        seen("B"),
    ]


def test_text_that_postgres_cannot_store_keeps_no_alert_out(database: Database, an_alert: AlertMaker) -> None:
    save(
        database, an_alert("a", title="x\x00y", tenant="t\x00", sample=Sample(message="\ud800", stack="\x00"))
    )
    (stored,) = active(database)
    assert (stored.title, stored.tenant) == ("x\ufffdy", "t\ufffd")
    assert stored.sample == Sample(message="\ufffd", stack="\ufffd")
