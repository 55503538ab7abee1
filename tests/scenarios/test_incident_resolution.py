"""How incidents end: cascades with their root, stragglers, what is back at once, and what a person closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import Status
from firstcause.demo import scenario
from support.scenario_app import Phone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    reasons = ("first", "flapping", "resolved")
    assert stage.phones[0].summaries == [f"{reason} {ROOT}" for reason in reasons], "no flap wakes anybody"


def test_who_was_told_that_it_is_over_has_not_acknowledged_its_return(stages: Callable[..., Stage]) -> None:
    crew, boss = Phone("crew"), Phone("boss")
    routes = [
        {"name": "crew", "notifiers": ["crew"], "escalate_to": "boss", "escalate_after": 600},
        {"name": "boss", "notifiers": ["boss"], "escalation_only": True},
    ]
    stage = stages(crew, boss, notify={"group_wait": 30, "routes": routes})
    stage.report(0, ROOT)
    stage.deliver(60)
    stage.app.incidents.acknowledge("1", stage.time(70), "ann", None)
    mended(stage, 100)
    stage.deliver(100)
    stage.report(280, ROOT)
    incident = stage.incident()
    assert (incident["status"], incident["acknowledged_by"]) == ("open", None)
    assert {"what": "no longer acknowledged", "reason": "it was over"} in [
        {key: line[key] for key in ("what", "reason")} for line in incident["timeline"]
    ]
    for at in (310, 900, 920, 1000):
        stage.deliver(at)
    assert crew.summaries == [f"first {ROOT}", f"resolved {ROOT}", f"first {ROOT}"]
    assert boss.summaries == [f"escalated {ROOT}"]


def test_an_acknowledgement_lasts_as_long_as_the_incident(stage: Stage) -> None:
    stage.report(0, ROOT)
    stage.app.incidents.acknowledge("1", stage.time(10), "ann", None)
    stage.report(20, ROOT, EFFECT)
    mended(stage, 30, EFFECT)
    stage.report(40, EFFECT)
    assert stage.incident()["acknowledged_by"] == "ann"


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


def test_the_reason_that_was_told_stays_when_it_ends_piece_by_piece(
    stages: Callable[..., Stage], tmp_path: Path
) -> None:
    def find_cause() -> tuple[str, float]:
        report = stage.app.incidents.build_debug_report(stage.incident()["id"], stage.time(999))
        cause = report.dependencies.root_cause
        return str(cause.because), float(cause.confidence or 0)

    environment = tmp_path / "app.env"
    environment.write_text(scenario.env_file(has_credentials=False))
    stage = stages(health={"env_file": "app.env"})
    stage.probe(0, Status.DOWN, detail="HTTP 401, code 20003: Authenticate")
    stage.report(1, ROOT)
    told = find_cause()
    assert "TWILIO_ACCOUNT_SID" in told[0]
    environment.write_text(scenario.env_file(has_credentials=True))
    stage.probe(20, Status.DOWN, detail="HTTP 401, code 20003: Authenticate")
    stage.report(21, ROOT)
    assert find_cause()[1] < told[1], "while it lasts, what is true now"
    stage.probe(40, Status.UP)
    mended(stage, 41)
    assert stage.incident()["status"] == "resolved"
    assert find_cause() == told
    reasons = [one["because"] for one in stage.incident()["verdicts"] if one["verdict"] == "root_cause"]
    assert told[0] in reasons
