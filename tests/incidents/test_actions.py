"""What people do: silences, acknowledgement. On both databases, as timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.errors import IntakeError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

CODE = "SMS_DELIVERY_FAILURE"


def quiet(stage: Stage, at: float, *matchers: str, length: float = 600, **more: Any) -> str:
    fields = {"actor": "anna", "comment": "they move", **more}
    made = stage.app.silences.create(matchers, stage.time(at), duration_s=length, **fields)
    stage.app.pipeline.reevaluate(stage.time(at))
    return str(made.silence_id)


def test_nobody_is_told_of_what_is_silenced_until_the_silence_ends(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", "tenant=acme")
    stage.report(10, CODE, tenant="acme")
    stage.report(10, CODE, tenant="bolt", service="other")
    stage.deliver(100)
    assert stage.phones[0].summaries == [f"first {CODE}"], "bolt's is not silenced, so the incident is not"
    stage.take(110, stage.event(110, CODE, tenant="bolt", service="other", resolved=True))
    incident = stage.incident()
    assert (incident["suppressed"], incident["silenced_by"]) == (True, ["1"])
    line = next(each for each in incident["timeline"] if each["what"] == "notifications muted")
    assert line["reason"] == "silenced by anna: they move"


def test_a_silence_a_second_before_the_message_holds_it_back_and_its_end_lets_it_go(stage: Stage) -> None:
    stage.report(0, CODE, tenant="acme")
    number = quiet(stage, 29, 'code=~"SMS_.*"')
    stage.deliver(100)
    assert stage.phones[0].summaries == []
    (found,) = stage.app.silences.list_silences(stage.time(100), include_ended=False)
    assert (found["state"], found["incidents"]) == ("active", ["1"])
    stage.app.silences.end(number, stage.time(200), "anna")
    stage.app.maintenance.sweep(stage.time(230))
    stage.deliver(300)
    assert stage.phones[0].summaries == [f"first {CODE}"]
    assert stage.app.silences.list_silences(stage.time(300), include_ended=False) == []
    assert [
        each["state"] for each in stage.app.silences.list_silences(stage.time(300), include_ended=True)
    ] == ["expired"]


def test_a_silence_ends_by_itself_and_what_ended_within_it_is_never_told(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", length=100)
    stage.report(1, CODE, tenant="acme")
    stage.report(2, "REDIS_SLOW", tenant="cora")
    stage.take(50, stage.event(50, CODE, tenant="acme", resolved=True))
    stage.app.maintenance.sweep(stage.time(160))
    stage.deliver(300)
    assert stage.phones[0].summaries == ["first REDIS_SLOW"]


def test_a_silence_of_tomorrow_holds_tomorrow(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", starts_at=stage.time(1000))
    stage.report(1, CODE, tenant="acme")
    stage.deliver(100)
    assert stage.phones[0].summaries == [f"first {CODE}"]


@pytest.mark.parametrize(
    ("matchers", "length", "says"),
    [
        (["code"], 60.0, "not a matcher"),
        (["tenant!=acme"], 60.0, "nearly every alert"),
        (["code=X"], 0.0, "over already"),
    ],
)
def test_a_silence_that_is_none_is_refused(
    stage: Stage, matchers: list[str], length: float, says: str
) -> None:
    with pytest.raises(IntakeError, match=says):
        quiet(stage, 0, *matchers, length=length)


def test_an_acknowledgement_is_on_the_incident_and_its_timeline(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    for at in (10, 20):
        stage.app.incidents.acknowledge("1", stage.time(at), "anna", "on it")
    incident = stage.incident()
    assert incident["acknowledged_by"] == "anna"
    (line,) = [each for each in incident["timeline"] if each["what"] == "acknowledged"]
    assert (line["actor"], line["reason"], line["at"]) == ("anna", "on it", incident["acknowledged_at"])
    stage.report(30, "REDIS_SLOW", tenant="acme")
    assert stage.incident()["acknowledged_by"] == "anna", "more of the same changes nothing"
    stage.app.incidents.unacknowledge("1", stage.time(40), "anna", None)
    assert stage.incident()["acknowledged_at"] is None


def test_a_rise_in_priority_takes_the_acknowledgement_back(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.app.incidents.acknowledge("1", stage.time(10), "anna", None)
    stage.report(20, "REDIS_SLOW", tenant="bolt")
    stage.report(21, "REDIS_SLOW", tenant="cora")
    incident = stage.incident()
    assert (incident["priority"], incident["acknowledged_by"]) == ("P1", None)
    rise = next(each for each in incident["timeline"] if each["what"] == "priority P2 -> P1")
    assert rise["reason"] == "3 tenants report REDIS_SLOW, so it is raised to P1"
    assert "no longer acknowledged" in [each["what"] for each in incident["timeline"]]


def test_what_is_over_or_not_there_cannot_be_acknowledged(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.app.incidents.resolve("1", stage.time(5), fix=None, actor="anna")
    with pytest.raises(IntakeError, match="is over"):
        stage.app.incidents.acknowledge("1", stage.time(10), "anna", None)
    with pytest.raises(NotFoundError, match="no incident '9'"):
        stage.app.incidents.acknowledge("9", stage.time(10), "anna", None)
    with pytest.raises(NotFoundError, match="no silence '9'"):
        stage.app.silences.end("9", stage.time(10), "anna")


def test_a_merge_holds_against_every_rule_and_over_a_restart(stages: Callable[..., Stage]) -> None:
    stage = stages()
    stage.report(0, "REDIS_SLOW")
    stage.report(1, "COMPANY_DATABASE_EMPTY")
    stage.app.incidents.merge("2", "1", stage.time(10), "anna", "the same deployment")
    stage.app.pipeline.reevaluate(stage.time(10))
    (incident,) = stage.incidents("open")
    incident = stage.app.incidents.get_incident(incident["id"])
    assert incident["root"]["code"] == "REDIS_SLOW"
    cascade = next(each for each in incident["alerts"] if each["role"] == "cascade")
    assert cascade["code"] == "COMPANY_DATABASE_EMPTY"
    word = next(each for each in incident["verdicts"] if each["rule"] == "manual override")
    assert (word["verdict"], word["because"]) == ("cascade", "anna: the same deployment")
    assert "merged incident 2 into this one" in [line["what"] for line in incident["timeline"]]
    again = stages()
    again.report(20, "COMPANY_DATABASE_EMPTY", "REDIS_SLOW", "COMPANY_DATABASE_EMPTY")
    again.app.maintenance.sweep(again.time(80))
    assert [one["root"]["code"] for one in again.incidents("open")] == ["REDIS_SLOW"]
    assert (
        again.app.incidents.explain("1", again.time(81))["tree"][0]["causes"][0]["verdicts"][0]["rule"]
        == "manual override"
    )


def test_a_split_holds_and_ends_with_the_alert(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", CODE)
    effect = next(each["id"] for each in stage.incident()["alerts"] if each["code"] == CODE)
    stage.app.incidents.split("1", [effect], stage.time(10), "anna", None)
    stage.app.pipeline.reevaluate(stage.time(10))
    assert sorted(one["root"]["code"] for one in stage.incidents("open")) == [CODE, "TWILIO_API_FAILURE"]
    stage.report(20, CODE, "TWILIO_API_FAILURE")
    assert len(stage.incidents("open")) == 2
    stage.take(30, stage.event(30, CODE, resolved=True))
    stage.report(700, CODE)
    (incident,) = stage.incidents("open")
    assert incident["root"]["code"] == "TWILIO_API_FAILURE", "a new alert is no longer what was spoken of"


def test_what_cannot_be_merged_or_split_is_said(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", CODE)
    root = next(each["id"] for each in stage.incident()["alerts"] if each["role"] == "root")
    act = stage.app.incidents
    at = stage.time(1)
    with pytest.raises(IntakeError, match="is incident 1 already"):
        act.merge("1", "1", at, "anna", None)
    with pytest.raises(NotFoundError, match="no incident '9'"):
        act.merge("1", "9", at, "anna", None)
    with pytest.raises(IntakeError, match="no active alert '77'"):
        act.split("1", ["77"], at, "anna", None)
    with pytest.raises(IntakeError, match="is the root fault"):
        act.split("1", [root], at, "anna", None)
    assert stage.rows("ruling") == []
