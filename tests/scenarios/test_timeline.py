"""What a person reads at night: all that happened to an incident, with its time, who did it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.scenario_app import NO_STORMS, DeliveryError, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = "SMS_DELIVERY_FAILURE"
CALLS = {"web": ["cart", "search"], "cart": ["stock"], "search": ["index"]}


def lines(stage: Stage, number: str = "1") -> list[tuple[str, str, str | None]]:
    """(what, who, why)"""
    found = stage.app.incidents.get_incident(number)["timeline"]
    assert [each["at"] for each in found] == sorted(each["at"] for each in found)
    return [(each["what"], each["actor"], each["reason"]) for each in found]


def route(**more: Any) -> dict[str, Any]:
    return {"group_wait": 30, "routes": [{"name": "on call", "notifiers": ["phone"], **more}]}


def test_what_people_do_is_there_with_their_names_and_reasons(stage: Stage) -> None:
    act = stage.app.incidents
    stage.report(0, CODE, tenant="acme")
    act.acknowledge("1", stage.time(10), "anna", "at the console")
    act.unacknowledge("1", stage.time(20), "anna", "off to bed")
    stage.app.incidents.resolve("1", stage.time(30), fix="new token", actor="bert")
    assert lines(stage)[1:] == [
        ("acknowledged", "anna", "at the console"),
        ("no longer acknowledged", "anna", "off to bed"),
        ("resolved, with its cascades", "bert", "new token"),
        ("route on call: nobody was notified", "firstcause", "it was over before the message was due"),
    ]


def test_a_merge_shows_who_said_so_and_what_had_happened_to_the_other(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.report(5, "TLS_CERT_EXPIRING")
    stage.app.incidents.acknowledge("2", stage.time(6), "bert", None)
    stage.app.incidents.merge("2", "1", stage.time(10), "anna", "one deployment")
    stage.app.pipeline.reevaluate(stage.time(11))
    found = lines(stage)
    assert ("to take in incident 2", "anna", "one deployment") in found
    assert ("incident 2: acknowledged", "bert", None) in found
    assert ("merged incident 2 into this one", "firstcause", "same cause") in found
    assert found == lines(stage, "2"), "its old number leads here"


def test_an_alert_that_was_attributed_wrongly_leaves_a_line_in_both_incidents(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", CODE)
    effect = next(each["id"] for each in stage.incident()["alerts"] if each["role"] == "cascade")
    stage.app.incidents.split("1", [effect], stage.time(10), "anna", "another fault")
    stage.app.pipeline.reevaluate(stage.time(11))
    assert (f"{CODE} (alert {effect}) split off", "anna", "another fault") in lines(stage)
    assert (f"{CODE} went to incident 2", "firstcause", "it has a cause of its own") in lines(stage)
    assert lines(stage, "2") == [
        (f"opened: {CODE}", "firstcause", "anna: another fault"),
        (f"{CODE} came from incident 1", "firstcause", "it has a cause of its own"),
    ]


def test_why_it_is_more_urgent_and_that_nobody_is_at_it_any_more(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.app.incidents.acknowledge("1", stage.time(1), "anna", None)
    stage.report(2, "REDIS_SLOW", tenant="bolt")
    stage.report(3, "REDIS_SLOW", tenant="cora")
    assert lines(stage)[-2:] == [
        ("priority P2 -> P1", "firstcause", "3 tenants report REDIS_SLOW, so it is raised to P1"),
        ("no longer acknowledged", "firstcause", "it is more urgent than when it was acknowledged"),
    ]


def test_each_try_to_tell_is_there_with_what_went_wrong(stages: Callable[..., Stage]) -> None:
    broken = Phone("broken", depends_on=frozenset({"twilio"}))
    first = Phone("first", failing=[DeliveryError("busy"), DeliveryError("no such number", permanent=True)])
    stage = stages(broken, first, Phone("second"))
    stage.report(0, "TWILIO_API_FAILURE")
    stage.deliver(30)
    stage.deliver(40)
    assert lines(stage)[1:] == [
        (
            "route on call: broken passed over",
            "firstcause",
            "it depends on twilio, which is broken",
        ),
        ("route on call: first failed; again in 1 s", "firstcause", "busy"),
        ("route on call: first failed; second takes over", "firstcause", "no such number"),
        ("first message sent by second", "firstcause", "route on call"),
    ]
    stage.take(50, stage.event(50, "TWILIO_API_FAILURE", resolved=True))
    stage.deliver(60)
    assert lines(stage)[-1][0].startswith("recovery sent by ")


def test_when_nobody_can_be_told_that_is_there(stages: Callable[..., Stage]) -> None:
    stage = stages(Phone("phone", failing=[DeliveryError("no such number", permanent=True)]))
    stage.report(0, CODE)
    stage.deliver(30)
    assert lines(stage)[-1] == (
        "route on call: phone failed, and nobody could be told; again in 5 min",
        "firstcause",
        "no such number",
    )


def test_what_is_held_back_says_until_when_and_why(stages: Callable[..., Stage]) -> None:
    quiet = {"from": "02:00", "to": "07:00", "timezone": "UTC"}
    stage = stages(Phone("phone"), notify=route(quiet_hours=quiet))
    stage.report(0, "REDIS_SLOW")
    stage.deliver(30)
    assert lines(stage)[-1] == (
        "route on call: held back until 2026-11-01 07:00:00 UTC", "firstcause", "quiet hours",
    )  # fmt: skip


def test_a_limit_is_named_once_and_the_digest_says_so(stages: Callable[..., Stage]) -> None:
    notify = route() | {"limits": {"phone": {"max": 1, "per": 600}}}
    stage = stages(Phone("phone"), notify=notify, rules=NO_STORMS)
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.deliver(30)
    stage.report(31, "ODD_ERROR", service="mill")
    stage.report(31, "OTHER_ERROR", service="river")
    for at in (70, 200, 700):
        stage.deliver(at)
    why = "phone has sent as many messages as it may"
    for number in ("2", "3"):
        assert [line for line in lines(stage, number) if line[2] == why] == [
            ("route on call: held back until 2026-11-01 03:10:30 UTC", "firstcause", why)
        ]
        assert lines(stage, number)[-1][0] == "first message sent by phone, in one message with 1 others"
