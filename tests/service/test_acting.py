"""What people do: silences, acknowledgement. On both databases, as timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause.errors import IntakeError, NotFoundError

if TYPE_CHECKING:
    from staging import Stage

CODE = "SMS_DELIVERY_FAILURE"


def quiet(stage: Stage, at: float, *matchers: str, length: float = 600, **more: Any) -> str:
    given = {"by": "anna", "comment": "they move", **more}
    made = stage.service.acting.silence(matchers, stage.time(at), length=length, **given)
    stage.service.reconsider(stage.time(at))
    return str(made.number)


def test_nobody_is_told_of_what_is_silenced_until_the_silence_ends(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", "tenant=acme")
    stage.report(10, CODE, tenant="acme")
    stage.report(10, CODE, tenant="bolt", service="other")
    stage.deliver(100)
    assert stage.phones[0].said == [f"first {CODE}"], "bolt's is not silenced, so the incident is not"
    stage.take(110, stage.event(110, CODE, tenant="bolt", service="other", resolved=True))
    incident = stage.incident()
    assert (incident["suppressed"], incident["silenced_by"]) == (True, ["1"])
    line = next(each for each in incident["timeline"] if each["what"] == "nobody is told")
    assert line["reason"] == "silenced by anna: they move"


def test_a_silence_a_second_before_the_message_holds_it_back_and_its_end_lets_it_go(stage: Stage) -> None:
    stage.report(0, CODE, tenant="acme")
    number = quiet(stage, 29, 'code=~"SMS_.*"')
    stage.deliver(100)
    assert stage.phones[0].said == []
    (found,) = stage.service.acting.silences(stage.time(100), ended=False)
    assert (found["state"], found["incidents"]) == ("active", ["1"])
    stage.service.acting.end_silence(number, stage.time(200))
    stage.service.sweep(stage.time(230))
    stage.deliver(300)
    assert stage.phones[0].said == [f"first {CODE}"]
    assert stage.service.acting.silences(stage.time(300), ended=False) == []
    assert [each["state"] for each in stage.service.acting.silences(stage.time(300), ended=True)] == [
        "expired"
    ]


def test_a_silence_ends_by_itself_and_what_ended_within_it_is_never_told(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", length=100)
    stage.report(1, CODE, tenant="acme")
    stage.report(2, "REDIS_SLOW", tenant="cora")
    stage.take(50, stage.event(50, CODE, tenant="acme", resolved=True))
    stage.service.sweep(stage.time(160))
    stage.deliver(300)
    assert stage.phones[0].said == ["first REDIS_SLOW"]


def test_a_silence_of_tomorrow_holds_tomorrow(stage: Stage) -> None:
    quiet(stage, 0, f"code={CODE}", starts_at=stage.time(1000))
    stage.report(1, CODE, tenant="acme")
    stage.deliver(100)
    assert stage.phones[0].said == [f"first {CODE}"]


@pytest.mark.parametrize(
    ("matchers", "length", "says"),
    [
        (["code"], 60.0, "no matcher"),
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
        stage.service.acting.acknowledge("1", stage.time(at), "anna", "on it")
    incident = stage.incident()
    assert incident["acknowledged_by"] == "anna"
    (line,) = [each for each in incident["timeline"] if each["what"] == "acknowledged"]
    assert (line["actor"], line["reason"], line["at"]) == ("anna", "on it", incident["acknowledged_at"])
    stage.report(30, "REDIS_SLOW", tenant="acme")
    assert stage.incident()["acknowledged_by"] == "anna", "more of the same changes nothing"
    stage.service.acting.give_back("1", stage.time(40), "anna", None)
    assert stage.incident()["acknowledged_at"] is None


def test_a_rise_in_priority_takes_the_acknowledgement_back(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.service.acting.acknowledge("1", stage.time(10), "anna", None)
    stage.report(20, "REDIS_SLOW", tenant="bolt")
    stage.report(21, "REDIS_SLOW", tenant="cora")
    incident = stage.incident()
    assert (incident["priority"], incident["acknowledged_by"]) == ("P1", None)
    rise = next(each for each in incident["timeline"] if each["what"] == "priority P2 -> P1")
    assert rise["reason"] == "acknowledge it anew"


def test_what_is_over_or_not_there_cannot_be_acknowledged(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.service.resolve("1", stage.time(5), fix=None, actor="anna")
    with pytest.raises(IntakeError, match="is over"):
        stage.service.acting.acknowledge("1", stage.time(10), "anna", None)
    with pytest.raises(NotFoundError, match="no incident '9'"):
        stage.service.acting.acknowledge("9", stage.time(10), "anna", None)
    with pytest.raises(NotFoundError, match="no silence '9'"):
        stage.service.acting.end_silence("9", stage.time(10))
