"""When people are told: priority, reminders, escalation, quiet hours, limits, drills. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.scenario_app import DeliveryError, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    Stages = Callable[..., Stage]

MINOR, MAJOR = "BILLING_LATE", "TWILIO_API_FAILURE"
EFFECT = "SMS_DELIVERY_FAILURE"
MINUTE, HOUR = 60.0, 3600.0
NIGHT = {"from": "22:00", "to": "07:00"}
"""The stage begins at 03:00."""


def notify(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"group_wait": 0, "retry_attempts": 1, "routes": list(routes)} | more


def route(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "notifiers": [name]} | more


def acknowledge(stage: Stage, at: float) -> None:
    stage.app.incidents.acknowledge(stage.incident()["id"], stage.time(at), "ann", None)


# Priority


def test_a_cause_that_raises_the_priority_before_anybody_was_told_takes_the_routes_that_fit_it(
    stages: Stages,
) -> None:
    day, night = Phone("day"), Phone("night")
    routes = [route("night", priorities=["P0"]), route("day")]
    stage = stages(day, night, notify=notify(*routes, group_wait=30))
    stage.report(0, EFFECT, tenant="acme")
    assert stage.incident()["priority"] != "P0"
    stage.report(10, MAJOR)
    stage.deliver(40)
    assert (night.summaries, day.summaries) == ([f"first {MAJOR}"], [])


def test_a_rise_in_priority_is_said_to_who_was_told_and_to_who_now_has_to_know(stages: Stages) -> None:
    day, night = Phone("day"), Phone("night")
    routes = [route("night", priorities=["P0", "P1"], **{"continue": True}), route("day")]
    stage = stages(day, night, notify=notify(*routes))
    stage.report(0, "ODD", severity="WARNING")
    stage.deliver(0)
    acknowledge(stage, 30)
    stage.report(60, "ODD", severity="CRITICAL")
    stage.deliver(60)
    assert (day.summaries, night.summaries) == (["first ODD", "escalated ODD"], ["first ODD"])
    assert day.received[1].text.startswith("NOW P1: ODD")
    stage.report(120, "ODD", severity="WARNING")
    stage.report(180, "ODD", severity="CRITICAL")
    stage.deliver(200)
    assert (len(day.received), len(night.received)) == (2, 1)
    assert stage.incident()["acknowledged_by"] is None, "who is at it may not know how bad it has become"


def test_recovery_is_said_to_all_who_were_told(stages: Stages) -> None:
    day, boss = Phone("day"), Phone("boss")
    routes = [route("day", escalate_to="boss", escalate_after="15m"), route("boss", escalation_only=True)]
    stage = stages(day, boss, notify=notify(*routes))
    stage.report(0, MAJOR)
    stage.deliver(1)
    stage.deliver(15 * MINUTE + 5)
    stage.report(20 * MINUTE, MAJOR, resolved=True)
    stage.deliver(20 * MINUTE + 1)
    assert day.summaries == [f"first {MAJOR}", f"resolved {MAJOR}"]
    assert boss.summaries == [f"escalated {MAJOR}", f"resolved {MAJOR}"]
    assert boss.received[0].text.startswith("NOBODY ANSWERED, CRITICAL: Twilio API connection failed")


# Reminders


def test_people_are_reminded_until_somebody_acknowledges_it(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone"), repeat_interval="4h"))
    stage.report(0, MAJOR)
    stage.deliver(0)
    for hour in (3, 4, 5, 8):
        stage.deliver(hour * HOUR)
    assert phone.summaries == [f"first {MAJOR}", *[f"reminder {MAJOR}"] * 2]
    assert phone.received[1].text.startswith("STILL OPEN after 4 h: Twilio API connection failed")
    acknowledge(stage, 9 * HOUR)
    stage.deliver(13 * HOUR)
    assert len(phone.received) == 3
    stage.app.incidents.unacknowledge(stage.incident()["id"], stage.time(14 * HOUR), "ann", None)
    stage.deliver(14 * HOUR)
    assert phone.summaries[3:] == [f"reminder {MAJOR}"], "nobody is at it any more"


def test_a_route_may_have_an_interval_of_its_own_and_0_is_never(stages: Stages) -> None:
    often, never = Phone("often"), Phone("never")
    routes = [route("often", repeat_interval="30m", **{"continue": True}), route("never", repeat_interval=0)]
    stage = stages(often, never, notify=notify(*routes))
    stage.report(0, MAJOR)
    for minute in range(0, 600, 10):
        stage.deliver(minute * MINUTE)
    assert (len(often.received), len(never.received)) == (20, 1)


# Escalation


def test_the_next_is_told_when_nobody_acknowledges_and_the_next_but_one_after_that(stages: Stages) -> None:
    first, second, third = Phone("first"), Phone("second"), Phone("third")
    routes = [
        route("first", escalate_to="second", escalate_after="10m"),
        route("second", escalation_only=True, escalate_to="third", escalate_after="20m"),
        route("third", escalation_only=True),
    ]
    stage = stages(first, second, third, notify=notify(*routes))
    stage.report(0, MAJOR)
    told: list[tuple[str, float]] = []
    for phone in (first, second, third):
        phone.before_delivery = lambda said: told.append((f"{said.reason}", now))
    for now in range(0, 3600, 5):
        stage.deliver(now)
    assert told == [("first", 0), ("escalated", 600), ("escalated", 1800)]
    (line,) = [entry for entry in stage.incident()["timeline"] if entry["what"] == "second is notified too"]
    assert line["reason"] == "nobody acknowledged it within 10 min"


def test_who_acknowledges_in_time_wakes_nobody_else(stages: Stages) -> None:
    first, second = Phone("first"), Phone("second")
    routes = [
        route("first", escalate_to="second", escalate_after="10m"),
        route("second", escalation_only=True),
    ]
    stage = stages(first, second, notify=notify(*routes))
    stage.report(0, MAJOR)
    stage.deliver(0)
    acknowledge(stage, 599)
    stage.deliver(HOUR)
    assert (len(first.received), second.received) == (1, [])


def test_a_route_that_reaches_nobody_hands_over_at_once_and_is_tried_anew(stages: Stages) -> None:
    deaf = Phone("first", failing=[DeliveryError("no such number", permanent=True)] * 2)
    second = Phone("second")
    routes = [route("first", escalate_to="second"), route("second", escalation_only=True)]
    stage = stages(deaf, second, notify=notify(*routes))
    stage.report(0, MAJOR)
    stage.deliver(0)
    stage.deliver(5)
    assert second.summaries == [f"escalated {MAJOR}"]
    for minute in (5, 10, 15, 16):
        stage.deliver(minute * MINUTE)
    assert (deaf.summaries, deaf.failing) == ([f"first {MAJOR}"], []), "after 5 minutes, and 10 more"
    assert len(second.received) == 1


# Quiet hours


def test_what_can_wait_waits_for_the_morning_and_what_cannot_does_not(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone", quiet_hours=NIGHT), repeat_interval=0))
    stage.report(0, MINOR, service="billing")
    stage.report(0, MAJOR)
    stage.deliver(1)
    assert phone.summaries == [f"first {MAJOR}"]
    stage.deliver(4 * HOUR - 1)
    assert len(phone.received) == 1
    stage.deliver(4 * HOUR)
    assert phone.summaries[1:] == [f"first {MINOR}"]


def test_what_is_over_in_the_morning_is_not_said(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone", quiet_hours=NIGHT)))
    stage.report(0, MINOR, service="billing")
    stage.deliver(1)
    stage.report(HOUR, MINOR, service="billing", resolved=True)
    stage.deliver(5 * HOUR)
    assert phone.received == []


def test_what_grows_urgent_in_the_night_is_said_at_once(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone", quiet_hours=NIGHT)))
    stage.report(0, EFFECT, tenant="acme")
    stage.deliver(1)
    assert phone.received == []
    stage.report(HOUR, MAJOR)
    stage.deliver(HOUR)
    assert phone.summaries == [f"first {MAJOR}"]
    stage.deliver(4 * HOUR + 1)
    assert len(phone.received) == 1, "the one that waited for the morning was this one"


# Limits


def flood(stage: Stage, at: float, *numbers: int) -> None:
    for number in numbers:
        stage.report(at, f"ODD_{number}", service=f"service {number}")


def test_what_is_more_than_the_limit_comes_in_one_message(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone"), limits={"phone": {"max": 2, "per": "1h"}}))
    flood(stage, 0, *range(30))
    stage.deliver(0)
    assert len(phone.received) == 2
    stage.report(600, "ODD_5", service="service 5", resolved=True)
    stage.report(700, MAJOR)
    stage.deliver(1200)
    assert phone.summaries[2:] == [f"first {MAJOR}"], "what is urgent is said at once"
    stage.deliver(HOUR)
    assert len(phone.received) == 4
    digest = phone.received[3]
    assert (digest.reason, digest.title) == ("digest", "28 incidents since 03:00 UTC")
    assert len(digest.incidents) == 28
    assert "resolved by now: ODD_5" in digest.body
    stage.deliver(2 * HOUR)
    assert len(phone.received) == 4, "they are said"
    flood(stage, 3 * HOUR, 100)
    stage.deliver(3 * HOUR)
    assert phone.summaries[4:] == ["first ODD_100"]


def test_nobody_gets_hundreds_of_messages_where_nothing_is_configured(stages: Stages) -> None:
    """Errors of services that neither catalog nor graph knows are an incident each."""
    phone, log = Phone("phone"), Phone("log", last_resort=True)
    stage = stages(phone, log, notify=notify(route("phone", **{"continue": True}), route("log")))
    flood(stage, 0, *range(50))
    for at in (0, 1, 2, 3, 600, 601):
        stage.deliver(at)
    assert (len(phone.received), phone.received[10].title) == (11, "40 incidents since 03:00 UTC")
    assert len(log.received) == 50, "what nobody is woken by is told everything"


def test_a_site_sets_the_limit_of_those_without_one_of_their_own(stages: Stages) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    routes = [route("phone", **{"continue": True}), route("mail")]
    limits = {"default_limit": {"max": 2, "per": "1h"}, "limits": {"mail": {"max": 3, "per": "1h"}}}
    stage = stages(phone, mail, notify=notify(*routes, **limits))
    flood(stage, 0, *range(6))
    stage.deliver(0)
    assert (len(phone.received), len(mail.received)) == (2, 3)


def test_one_that_was_held_back_comes_as_it_is(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone"), limits={"phone": {"max": 1, "per": "10m"}}))
    flood(stage, 0, 1, 2)
    stage.deliver(0)
    stage.deliver(600)
    assert phone.summaries == ["first ODD_1", "first ODD_2"]


def test_a_message_of_several_that_fails_is_tried_again_and_handed_on(stages: Stages) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    routes = [{"name": "all", "notifiers": ["phone", "mail"]}]
    limits = {"phone": {"max": 1, "per": "10m"}}
    stage = stages(phone, mail, notify=notify(*routes, limits=limits, retry_attempts=2))
    flood(stage, 0, 1, 2, 3)
    stage.deliver(0)
    phone.failing = [OSError("no route")] * 2
    stage.deliver(600)
    stage.deliver(601)
    assert (len(phone.received), phone.failing) == (1, [])
    assert sorted(mail.summaries) == ["first ODD_2", "first ODD_3"]


def test_a_recovery_that_was_held_back_is_told_with_the_rest(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone"), limits={"phone": {"max": 1, "per": "10m"}}))
    flood(stage, 0, 1)
    stage.deliver(0)
    flood(stage, 60, 2, 3)
    stage.report(60, "ODD_1", service="service 1", resolved=True)
    stage.deliver(60)
    stage.deliver(600)
    assert phone.summaries[1:] == ["digest ODD_2"]
    assert "resolved by now: ODD_1" in phone.received[1].body
    stage.deliver(2 * HOUR)
    assert len(phone.received) == 2


def test_held_back_reminders_of_acknowledged_incidents_are_dropped(stages: Stages) -> None:
    phone = Phone("phone")
    limits = {"phone": {"max": 2, "per": "2h"}}
    stage = stages(phone, notify=notify(route("phone"), limits=limits, repeat_interval="1h"))
    flood(stage, 0, 1, 2)
    stage.deliver(0)
    stage.deliver(HOUR)
    for incident in stage.incidents("open"):
        stage.app.incidents.acknowledge(incident["id"], stage.time(HOUR + 1), "ann", None)
    stage.deliver(2 * HOUR)
    stage.deliver(3 * HOUR)
    assert len(phone.received) == 2
    for incident in stage.incidents("open"):
        timeline = stage.app.incidents.get_incident(incident["id"])["timeline"]
        assert ("route phone: reminder not sent", "no longer relevant") in [
            (entry["what"], entry["reason"]) for entry in timeline
        ]


# Drills


def test_a_drill_rings_touches_nothing_and_ends_by_itself(stages: Stages) -> None:
    phone = Phone("phone")
    stage = stages(phone, notify=notify(route("phone", quiet_hours=NIGHT), group_wait=30))
    stage.report(0, EFFECT, tenant="acme")
    stage.report(0, MAJOR)
    (real,) = stage.incidents("open")
    event = stage.app.notifications.send_drill(MAJOR, None, stage.time(1))
    stage.app.pipeline.triage_all(stage.time(1))
    assert {incident["id"] for incident in stage.incidents("open")} > {real["id"]}
    stage.deliver(1)
    (said,) = phone.received
    assert said.drill
    assert said.text.startswith("DRILL: CRITICAL: Twilio API connection failed")
    answer = stage.app.notifications.get_drill_outcome(event)
    assert (answer["over"], answer["delivered"]) == (True, True)
    assert stage.incidents("open") == [real]
    stage.deliver(HOUR)
    assert len(phone.received) == 2
    assert phone.summaries[1:] == [f"first {MAJOR}"]


def test_a_drill_asks_for_a_route_and_says_who_could_not_be_reached(stages: Stages) -> None:
    phone, boss = (
        Phone("phone"),
        Phone("boss", failing=[DeliveryError("21211: no such number", permanent=True)]),
    )
    stage = stages(phone, boss, notify=notify(route("phone"), route("boss", escalation_only=True)))
    event = stage.app.notifications.send_drill("FIRSTCAUSE_DRILL", "boss", stage.time(0))
    stage.app.pipeline.triage_all(stage.time(0))
    stage.deliver(0)
    answer = stage.app.notifications.get_drill_outcome(event)
    assert (answer["over"], answer["delivered"]) == (True, False)
    assert answer["routes"] == [{"route": "boss", "outcome": "given up", "error": "21211: no such number"}]
    assert phone.received == []
    stage.deliver(HOUR)
    assert boss.received == [], "a drill that failed is not tried anew"


def test_a_drill_that_no_route_takes_ends_and_says_so(stages: Stages) -> None:
    stage = stages(Phone("phone"), notify=notify(route("phone", priorities=["P2"])))
    event = stage.app.notifications.send_drill("FIRSTCAUSE_DRILL", None, stage.time(0))
    stage.app.pipeline.triage_all(stage.time(0))
    answer = stage.app.notifications.get_drill_outcome(event)
    assert (answer["over"], answer["delivered"], answer["routes"]) == (True, False, [])
