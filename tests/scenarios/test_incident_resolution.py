"""How incidents end: cascades with their root, stragglers, what is back at once, and what a person closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.scenario_app import Stage

ROOT, EFFECT = "TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE"


def mended(stage: Stage, at: float, code: str = ROOT) -> None:
    stage.take(at, stage.event(at, code, resolved=True))


def burning(stage: Stage) -> list[str]:
    return [one["root"]["code"] for one in stage.incidents("open")]


def test_what_a_fault_set_off_may_trail_and_then_stands_for_itself(stage: Stage) -> None:
    stage.report(0, ROOT, EFFECT)
    stage.deliver(60)
    mended(stage, 100)
    stage.report(130, EFFECT)
    stage.report(390, EFFECT)
    assert burning(stage) == []
    assert stage.incident()["events"] == 4, "stragglers are counted"
    stage.report(410, EFFECT)
    assert burning(stage) == [EFFECT], "five minutes later it is no straggler"
    stage.deliver(500)
    assert stage.phones[0].summaries == [f"first {ROOT}", f"resolved {ROOT}", f"first {EFFECT}"]


def test_a_straggler_whose_cause_is_back_joins_it(stage: Stage) -> None:
    stage.report(0, ROOT, EFFECT)
    mended(stage, 100)
    stage.report(150, ROOT)
    stage.report(151, EFFECT)
    (incident,) = stage.incidents("open")
    assert {alert["code"] for alert in incident["alerts"] if not alert["resolved_at"]} == {ROOT, EFFECT}


def test_what_is_back_at_once_is_the_same_alert_of_the_same_incident(stage: Stage) -> None:
    stage.report(0, ROOT)
    for at in range(40, 400, 40):
        mended(stage, at)
        stage.report(at + 10, ROOT)
        stage.deliver(at + 15)
    incident = stage.incident()
    assert (incident["status"], len(incident["alerts"]), incident["events"]) == ("open", 1, 10)
    assert f"open again: {ROOT} is back" in [line["what"] for line in incident["timeline"]]
    stage.deliver(1000)
    mended(stage, 1100)
    stage.deliver(1200)
    assert stage.phones[0].summaries == [f"first {ROOT}", f"resolved {ROOT}"], "the flaps between wake nobody"


def test_what_is_back_much_later_is_a_new_incident(stage: Stage) -> None:
    stage.report(0, ROOT)
    mended(stage, 100)
    stage.report(701, ROOT)
    assert [one["status"] for one in stage.incidents()] == ["open", "resolved"]


def test_what_is_back_after_a_person_closed_it_is_a_new_incident(stage: Stage) -> None:
    stage.report(0, ROOT)
    stage.app.incidents.resolve("1", stage.time(50), fix="new token", actor="anna")
    stage.report(60, ROOT)
    assert [one["status"] for one in stage.incidents()] == ["open", "resolved"]
    assert stage.app.incidents.get_incident("1")["fix"] == "new token"
