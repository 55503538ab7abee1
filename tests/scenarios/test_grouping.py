"""Errors that nobody described, through the whole pipe: grouped, continued from older versions, bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from firstcause.core.grouping.fingerprint import identify
from firstcause.core.grouping.legacy_fingerprint import legacy_fingerprint
from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.core.catalog import Catalog
    from firstcause.core.grouping.fingerprint import Occurrence
    from firstcause.core.model import Event
    from support.scenario_app import Stage


def stack(line: int, function: str = "save") -> str:
    return (
        "Traceback (most recent call last):\n"
        f'  File "/srv/shop/orders/store.py", line {line}, in {function}\n    insert(order)\n'
        f"ValueError: order {line} is wrong\n"
    )


def codeless(stage: Stage, at: float, message: str, **fields: Any) -> None:
    stage.take(at, stage.event(at, None, message=message, service="shop", **fields))


def test_one_alert_for_one_place_whatever_the_message_says(stage: Stage) -> None:
    codeless(stage, 0, "ValueError: order of anna is wrong", stack=stack(41))
    codeless(stage, 1, "ValueError: nothing like it was seen", stack=stack(58))
    codeless(stage, 2, "ValueError: order of anna is wrong", stack=stack(41, "load"))
    counts = [
        alert["count"]
        for found in stage.incidents()
        for alert in stage.app.incidents.get_incident(found["id"])["alerts"]
    ]
    assert sorted(counts) == [1, 2]


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As long as it is not called, the daemon is the one that named alerts by version 1."""

    def version_1(event: Event, catalog: Catalog) -> Occurrence:
        found = identify(event, catalog)
        old = legacy_fingerprint(found)
        return found._replace(**old._asdict()) if old is not None else found

    monkeypatch.setattr("firstcause.pipeline.processor.identify", version_1)
    return monkeypatch.undo


TEXT = "cannot write /srv/data/{}.csv for user {}"


def test_of_several_that_are_one_now_the_first_to_come_again_goes_on(
    stage: Stage, older: Callable[[], None]
) -> None:
    codeless(stage, 0, TEXT.format(17, "anna"))
    codeless(stage, 1, TEXT.format(18, "bert"))
    older()
    stage.restart()
    codeless(stage, 70, TEXT.format(19, "bert"))
    codeless(stage, 80, TEXT.format(20, "anna"))
    codeless(stage, 90, TEXT.format("other", "cora"))
    assert [found["events"] for found in stage.incidents()] == [4, 1]


def test_an_alert_goes_on_with_its_incident_its_count_and_all_that_was_said(
    stage: Stage, older: Callable[[], None]
) -> None:
    first = stage.event(0, None, message=TEXT.format(17, "anna"), service="shop", tenant="acme")
    stage.take(0, first, stage.event(0, None, message=TEXT.format(17, "anna"), service="shop", tenant="bolt"))
    stage.deliver(60)
    before = stage.incident()
    old = {row["fingerprint"] for row in stage.rows("alert")}
    older()
    stage.restart()
    later = stage.event(70, None, message=TEXT.format(18, "anna"), service="shop", tenant="acme")
    stage.take(70, later)
    stage.deliver(200)
    after = stage.incident()
    assert (after["id"], after["opened_at"], after["events"]) == (before["id"], before["opened_at"], 3)
    assert sorted(alert["count"] for alert in after["alerts"]) == [1, 2]
    assert [each.split()[0] for each in stage.phones[0].summaries] == ["first"]
    for event in (first, later):
        found = stage.app.incidents.find_by_event(event.id)
        assert found is not None
        assert found["id"] == before["id"]
    renamed = [row for row in stage.rows("alert") if row["former"]]
    assert [row["former"] in old and row["fingerprint"] not in old for row in renamed] == [True]
    assert {row["fault"] for row in stage.rows("alert")} == {row["fault"] for row in stage.rows("incident")}
    stage.take(80, stage.event(80, None, message=TEXT.format(9, "anna"), service="shop", tenant="bolt"))
    stage.deliver(300)
    assert [alert["count"] for alert in stage.incident()["alerts"]] == [2, 2]
    assert len(stage.phones[0].summaries) == 1
    assert not {alert["fingerprint"] for alert in stage.rows("alert")} & old


def test_what_ended_a_moment_ago_goes_on_too_and_what_ended_long_ago_does_not(
    stage: Stage, older: Callable[[], None]
) -> None:
    text = "payment 17 was refused by the bank"
    codeless(stage, 0, text)
    codeless(stage, 5, text, resolved=True)
    older()
    stage.restart()
    codeless(stage, 60, text)
    assert (stage.incident()["events"], stage.incident()["status"]) == (2, "open")
    codeless(stage, 70, text, resolved=True)
    codeless(stage, 4000, text)
    assert [found["events"] for found in stage.incidents()] == [1, 2]


def test_acknowledged_merged_and_silenced_it_stays(stage: Stage, older: Callable[[], None]) -> None:
    texts = ("the shelf 17 is empty", "the door 17 is open")
    for at, text in enumerate(texts):
        codeless(stage, at, text)
    one, two = sorted(found["id"] for found in stage.incidents())
    stage.app.incidents.merge(two, one, stage.time(10), "anna", None)
    stage.app.pipeline.reevaluate(stage.time(11))
    stage.app.incidents.acknowledge(one, stage.time(12), "anna", None)
    older()
    stage.restart()
    for at, text in enumerate(texts, 20):
        codeless(stage, at, text.replace("17", "18"))
    after = stage.incident()
    assert (after["id"], after["events"], len(after["alerts"])) == (one, 4, 2)
    assert after["acknowledged_by"] == "anna"


WORDS = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx", "yz")


def word(number: int) -> str:
    """No digit, and another for each number."""
    return "".join(WORDS[number // 13**place % 13] for place in range(6))


KINDS, BATCH = 4000, 1000


def test_thousands_of_kinds_stay_few_rows_and_say_so(stages: Callable[..., Stage]) -> None:
    stage = stages(intake={"kinds": 5, "kinds_in_all": 12, "codes": 20})
    for start in range(0, KINDS, BATCH):
        events = [
            stage.event(1, None, message=f"the {word(number)} broke", service="shop", tenant=f"t{number % 2}")
            for number in range(start, start + BATCH)
        ]
        codes = [
            stage.event(1, f"E_{word(number)}", service="till") for number in range(start, start + BATCH)
        ]
        stage.take(1 + start / BATCH, *events, *codes, stage.event(1, "DATABASE_UNREACHABLE_X", service="db"))
    stage.take(9, stage.event(9, "SMS_DELIVERY_FAILURE", tenant="acme"))
    stage.deliver(90)
    assert sum(row["count"] for row in stage.rows("alert")) == 2 * KINDS + 5
    assert len(stage.rows("alert")) <= 12 + 3 + 1
    further = {row["service"]: row for row in stage.rows("alert") if row["code"] == "FURTHER_ERRORS"}
    assert further["shop"]["title"].endswith("further kinds of errors from shop")
    assert further["shop"]["title"].startswith("about ")
    assert "SMS_DELIVERY_FAILURE" in {row["code"] for row in stage.rows("alert")}
    for table, most in (("incident", 16), ("notification_registry", 16), ("tally", 60), ("outbox", 40)):
        assert len(stage.rows(table)) <= most, table
    said = "\n".join(each.text for each in stage.phones[0].received)
    assert "further kinds of errors from shop" in said
    number = next(found["id"] for found in stage.incidents() if found["root"]["code"] == "FURTHER_ERRORS")
    assert "kinds" in stage.app.incidents.get_incident(number)["title"]
    assert "[intake]" in stage.app.incidents.render_debug_report(number, "text", stage.time(100))


def test_codes_that_are_not_seen_any_more_are_forgotten_but_for_their_number(
    stages: Callable[..., Stage],
) -> None:
    stage = stages(intake={"codes": 3})
    for number in range(8):
        stage.report(number, f"ODD_{number}", "SMS_DELIVERY_FAILURE")
    stage.app.maintenance.sweep(stage.time(20))
    stage.report(21, "ODD_8")
    stage.app.maintenance.sweep(stage.time(30))
    counts = {row["code"]: row["count"] for row in stage.rows("notification_registry")}
    assert counts == {"*": 6, "ODD_6": 1, "ODD_7": 1, "ODD_8": 1, "SMS_DELIVERY_FAILURE": 8}


def test_room_is_there_again_when_others_have_ended(stages: Callable[..., Stage]) -> None:
    stage = stages(intake={"kinds": 2})
    stage.report(0, "A", "B", "C", service="shop")
    stage.report(10, "A", service="shop", resolved=True)
    stage.report(20, "D", service="shop")
    assert "D" not in {row["code"] for row in stage.rows("alert")}, "A was opened within the hour"
    stage.report(4000, "D", service="shop")
    assert "D" in {row["code"] for row in stage.rows("alert")}
    with stage.app.database.read() as conn:
        alert = metadata.tables["alert"]
        assert conn.execute(sa.select(sa.func.sum(alert.c.count))).scalar_one() == 5
