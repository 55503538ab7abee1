"""What each receiver knows: who heard of an incident hears of its end, once. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from firstcause import DeliveryReport, DeliveryState
from support.scenario_app import DeliveryError, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    Stages = Callable[..., Stage]

CODE = "TWILIO_API_FAILURE"
MINOR = "BILLING_LATE"
FIRST, RESOLVED = f"first {CODE}", f"resolved {CODE}"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def notify(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"group_wait": 0, "retry_attempts": 2, "routes": list(routes)} | more


def route(*notifiers: str, **more: Any) -> dict[str, Any]:
    return {"name": "on call", "notifiers": list(notifiers)} | more


def refusal(**more: Any) -> DeliveryError:
    return DeliveryError("21211: no such number", permanent=True, **more)


def away(count: int) -> list[Exception]:
    return [DeliveryError("no route") for _ in range(count)]


def deliver_until(stage: Stage, start: float, end: float, step: float = MINUTE) -> None:
    now = start
    while now <= end:
        stage.deliver(now)
        now += step


def timeline(stage: Stage) -> list[tuple[str, str]]:
    return [(entry["what"], entry["reason"] or "") for entry in stage.incident()["timeline"]]


# The end


def test_a_recovery_that_could_not_be_delivered_is_sent_later_and_once(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    stage.deliver(0)
    sms.failing = away(5)
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    stage.deliver(MINUTE + 1)
    assert sms.summaries == [FIRST]
    assert ("route on call: sms failed, and nobody could be told; again in 5 min", "no route") in timeline(
        stage
    )
    deliver_until(stage, 2 * MINUTE, 30 * MINUTE)
    assert (sms.summaries, sms.failing) == ([FIRST, RESOLVED], [])


def test_a_recovery_is_given_up_after_a_day(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    stage.deliver(0)
    sms.failing = away(1000)
    stage.report(MINUTE, CODE, resolved=True)
    deliver_until(stage, MINUTE, DAY + 6 * HOUR, 10 * MINUTE)
    assert [row["outcome"] for row in stage.rows("outbox")] == ["sent", "given up"]


def test_who_was_told_of_it_is_told_of_its_end_and_nobody_else(stages: Stages) -> None:
    sms, mail = Phone("sms", failing=away(2)), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    mail.failing = away(3)
    stage.report(MINUTE, CODE, resolved=True)
    deliver_until(stage, MINUTE, HOUR)
    assert (sms.summaries, mail.summaries) == ([], [FIRST, RESOLVED])


def test_each_who_may_have_been_told_is_told_of_the_end(stages: Stages) -> None:
    """No answer from one, so the next took over: both may know of it."""
    sms, mail = Phone("sms", failing=[TimeoutError(), TimeoutError()]), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    assert (sms.summaries, mail.summaries) == ([RESOLVED], [FIRST, RESOLVED])
    assert [said.maybe_repeat for said in (*sms.received, *mail.received)] == [False] * 3


def test_the_next_takes_over_a_recovery_from_one_that_refuses_for_good(stages: Stages) -> None:
    sms, mail = Phone("sms"), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    stage.deliver(0)
    sms.failing = [refusal()]
    stage.report(MINUTE, CODE, resolved=True)
    deliver_until(stage, MINUTE, 30 * MINUTE)
    assert (sms.summaries, mail.summaries) == ([FIRST], [RESOLVED])


def test_what_ended_before_it_could_be_said_is_not_said(stages: Stages) -> None:
    sms = Phone("sms", failing=away(9))
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    stage.report(MINUTE, CODE, resolved=True)
    sms.failing.clear()
    deliver_until(stage, MINUTE, HOUR)
    assert sms.received == []


# One of several receivers of a notifier


def test_one_of_two_receivers_refuses_for_good_and_the_other_is_told_once(stages: Stages) -> None:
    sms = Phone("sms", failing=[refusal(receipts={"ann": "SM1"})])
    stage = stages(sms, notify=notify(route("sms"), repeat_interval=0))
    stage.report(0, CODE)
    deliver_until(stage, 0, HOUR)
    assert (sms.received, sms.failing) == ([], []), "ann has the message, so it is not sent again"
    assert ("route on call: sms reached some of its receivers", "21211: no such number") in timeline(stage)
    stage.report(2 * HOUR, CODE, resolved=True)
    stage.deliver(2 * HOUR)
    assert sms.summaries == [RESOLVED]


def test_the_next_takes_over_for_those_who_were_not_reached(stages: Stages) -> None:
    sms, mail = Phone("sms", failing=[refusal(receipts={"ann": "SM1"})]), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    stage.deliver(0)
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    assert (sms.summaries, mail.summaries) == ([RESOLVED], [FIRST, RESOLVED])


def test_who_has_a_message_is_known_after_a_restart(stages: Stages) -> None:
    sms = Phone("sms", failing=[DeliveryError("busy", receipts={"ann": "SM1"})])
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    stage.deliver(0)
    stage.restart()
    stage.deliver(1)
    (said,) = sms.received
    assert (said.receipts, said.maybe_repeat) == ({"ann": "SM1"}, False)
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    assert sms.received[1].receipts == {}, "that is another message"


# Silences and digests


def silence(stage: Stage, at: float, code: str) -> str:
    made = stage.app.silences.create(
        [f"code={code}"], stage.time(at), duration_s=DAY, actor="ann", comment=None
    )
    return str(made.silence_id)


def test_what_is_silenced_when_it_ends_is_said_to_have_ended_and_to_be_back(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    stage.deliver(0)
    silence_id = silence(stage, MINUTE, CODE)
    stage.report(2 * MINUTE, CODE, resolved=True)
    stage.deliver(2 * MINUTE)
    assert sms.summaries == [FIRST, RESOLVED]
    stage.report(3 * MINUTE, CODE)
    stage.deliver(3 * MINUTE)
    assert len(sms.received) == 2
    stage.app.silences.end(silence_id, stage.time(4 * MINUTE), actor="ann")
    stage.deliver(4 * MINUTE)
    assert sms.summaries == [FIRST, RESOLVED, FIRST]


def flood(stage: Stage, at: float, *numbers: int, **more: Any) -> None:
    for number in numbers:
        stage.report(at, f"ODD_{number}", service=f"service {number}", **more)


LIMITED = {"limits": {"sms": {"max": 1, "per": "10m"}}}


def test_what_a_digest_said_to_have_ended_is_said_to_be_back(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms"), **LIMITED))
    flood(stage, 0, 1)
    stage.deliver(0)
    flood(stage, MINUTE, 2, 3)
    flood(stage, MINUTE, 1, resolved=True)
    stage.deliver(MINUTE)
    stage.deliver(10 * MINUTE)
    assert "resolved by now: ODD_1" in sms.received[1].body
    flood(stage, 10 * MINUTE + 1, 1)
    deliver_until(stage, 11 * MINUTE, 40 * MINUTE)
    assert sms.summaries[2:] == ["first ODD_1"]
    flood(stage, 41 * MINUTE, 1, 2, 3, resolved=True)
    deliver_until(stage, 41 * MINUTE, 3 * HOUR)
    assert sorted(sms.summaries[3:]) == [f"resolved ODD_{number}" for number in (1, 2, 3)]


def test_a_digest_that_fails_loses_no_recovery(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms"), **LIMITED))
    flood(stage, 0, 1)
    stage.deliver(0)
    flood(stage, MINUTE, 2, 3)
    flood(stage, MINUTE, 1, resolved=True)
    stage.deliver(MINUTE)
    sms.failing = [TimeoutError()]
    stage.deliver(10 * MINUTE)
    assert len(sms.received) == 1
    stage.deliver(10 * MINUTE + 1)
    digest = sms.received[1]
    assert "resolved by now: ODD_1" in digest.body
    assert (digest.maybe_repeat, "may repeat" in digest.text, "before" in digest.body) == (True, True, True)
    assert len(digest.attempted_texts) == 1
    stage.deliver(2 * HOUR)
    assert len(sms.received) == 2


# It is back


def test_who_missed_the_end_is_not_told_again_that_it_is_open(stages: Stages) -> None:
    sms, mail = Phone("sms", failing=[TimeoutError(), TimeoutError()]), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    mail.failing = away(2)
    stage.report(MINUTE, CODE, resolved=True)
    deliver_until(stage, MINUTE, MINUTE + 10, 1)
    assert (sms.summaries, mail.summaries) == ([RESOLVED], [FIRST])
    stage.report(2 * MINUTE, CODE)
    deliver_until(stage, 2 * MINUTE, HOUR)
    assert (sms.summaries, mail.summaries) == ([RESOLVED, FIRST], [FIRST]), "mail was not told of the end"
    stage.report(2 * HOUR, CODE, resolved=True)
    stage.deliver(2 * HOUR)
    assert (sms.summaries[2:], mail.summaries[1:]) == ([RESOLVED], [RESOLVED])


def test_it_is_back_and_the_only_receiver_missed_the_end(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    stage.deliver(0)
    sms.failing = away(2)
    stage.report(MINUTE, CODE, resolved=True)
    deliver_until(stage, MINUTE, MINUTE + 10, 1)
    stage.report(2 * MINUTE, CODE)
    deliver_until(stage, 2 * MINUTE, HOUR)
    assert sms.summaries == [FIRST]
    stage.report(2 * HOUR, CODE, resolved=True)
    stage.deliver(2 * HOUR)
    assert sms.summaries == [FIRST, RESOLVED]


# In doubt


def test_a_message_without_an_answer_is_repeated_with_a_mark_until_one_comes(stages: Stages) -> None:
    sms = Phone(
        "sms", failing=[TimeoutError(), DeliveryError("busy"), DeliveryError("cut", maybe_delivered=True)]
    )
    stage = stages(sms, notify=notify(route("sms"), retry_attempts=5))
    seen: list[bool] = []
    sms.before_delivery = lambda said: seen.append("(may repeat)" in said.text)
    stage.report(0, CODE)
    deliver_until(stage, 0, 20, 1)
    assert seen == [False, True, True, True]
    assert len(sms.received[0].attempted_texts) == 2, "the busy one is not in doubt"
    assert sms.received[0].attempted_at == stage.time(0)
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    assert not sms.received[1].maybe_repeat


def test_the_mark_is_only_for_the_receiver_in_doubt(stages: Stages) -> None:
    sms, mail = Phone("sms", failing=[TimeoutError(), TimeoutError()]), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    assert [said.maybe_repeat for said in mail.received] == [False]


def test_a_message_that_was_found_is_not_sent_again(stages: Stages) -> None:
    taken: list[str] = []
    sms = Phone("sms", failing=[TimeoutError()], find_sent=lambda said: f"SM-{taken.append(said.id) or 1}")  # type: ignore[func-returns-value]
    stage = stages(sms, notify=notify(route("sms")))
    stage.report(0, CODE)
    deliver_until(stage, 0, 10, 1)
    assert (len(taken), sms.received) == (1, [])
    assert ("first message was sent by sms with an earlier attempt", "route on call") in timeline(stage)
    assert [(log["status"], log["reference"]) for log in stage.incident()["notifications"]] == [
        ("failed", None), ("sent", "SM-1"),
    ]  # fmt: skip
    stage.report(MINUTE, CODE, resolved=True)
    stage.deliver(MINUTE)
    assert (sms.summaries, len(taken)) == ([RESOLVED], 1)


# Refused later


def test_the_next_takes_over_if_the_carrier_refuses_a_message_later(stages: Stages) -> None:
    reports = [
        DeliveryReport(DeliveryState.PENDING),
        DeliveryReport(DeliveryState.FAILED, "30007: filtered by the carrier"),
    ]
    asked: list[str] = []

    def report(reference: str) -> DeliveryReport:
        asked.append(reference)
        return reports.pop(0)

    sms, mail = Phone("sms", check_delivery=report), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail")))
    stage.report(0, CODE)
    deliver_until(stage, 0, MINUTE)
    assert asked == []
    deliver_until(stage, 2 * MINUTE, 5 * MINUTE)
    assert (asked, mail.summaries) == (["sms-1"], [])
    stage.restart()
    deliver_until(stage, 6 * MINUTE, HOUR)
    assert (asked, mail.summaries) == (["sms-1", "sms-1"], [FIRST])
    what = "route on call: sms did not deliver it after all; mail takes over"
    assert (what, "30007: filtered by the carrier") in timeline(stage)
    assert [(log["notifier"], log["status"]) for log in stage.incident()["notifications"]] == [
        ("sms", "failed"), ("mail", "sent"),
    ]  # fmt: skip
    stage.report(2 * HOUR, CODE, resolved=True)
    deliver_until(stage, 2 * HOUR, 3 * HOUR)
    assert (sms.summaries, mail.summaries) == ([FIRST], [FIRST, RESOLVED]), "sms never had the first"


def test_one_alone_whose_message_was_refused_later_is_tried_again_later(stages: Stages) -> None:
    reports = [DeliveryReport(DeliveryState.FAILED, "30008"), DeliveryReport(DeliveryState.DELIVERED)]
    sms = Phone("sms", check_delivery=lambda _reference: reports.pop(0))
    stage = stages(sms, notify=notify(route("sms"), repeat_interval=0))
    stage.report(0, CODE)
    deliver_until(stage, 0, 3 * HOUR)
    assert (sms.summaries, reports) == ([FIRST, FIRST], [])
    assert [said.maybe_repeat for said in sms.received] == [False, False], "the first was not delivered"


@pytest.mark.parametrize("answer", [None, "delivered", OSError("away")])
def test_a_check_that_gives_no_report_changes_nothing_and_ends(stages: Stages, answer: Any) -> None:
    asked: list[str] = []

    def report(reference: str) -> Any:
        asked.append(reference)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sms, mail = Phone("sms", check_delivery=report), Phone("mail")
    stage = stages(sms, mail, notify=notify(route("sms", "mail"), repeat_interval=0))
    stage.report(0, CODE)
    deliver_until(stage, 0, 3 * HOUR)
    assert (len(asked), sms.summaries, mail.received) == (3, [FIRST], [])


# Quiet hours


def test_quiet_hours_are_noted_once(stages: Stages) -> None:
    sms = Phone("sms")
    night = {"from": "22:00", "to": "07:00"}
    stage = stages(sms, notify=notify(route("sms", quiet_hours=night), repeat_interval=0))
    for second in range(20):
        stage.report(second, MINOR, service="billing", tenant=f"tenant {second}")
        stage.deliver(second)
    notes = [what for what, _reason in timeline(stage) if "held back" in what]
    assert notes == ["route on call: held back until 2026-11-01 07:00:00 UTC"]
    stage.deliver(4 * HOUR)
    assert sms.summaries == [f"first {MINOR}"]


# Merged incidents


def test_who_was_told_of_a_merged_incident_is_told_of_the_end(stages: Stages) -> None:
    sms, mail = Phone("sms"), Phone("mail")
    routes = [route("sms", tenants=["acme"]), {"name": "rest", "notifiers": ["mail"]}]
    stage = stages(sms, mail, notify=notify(*routes))
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    stage.report(0, MINOR, service="billing")
    stage.deliver(0)
    by_code = {incident["root"]["code"]: incident["id"] for incident in stage.incidents("open")}
    stage.app.incidents.merge(by_code["SMS_DELIVERY_FAILURE"], by_code[MINOR], stage.time(5), "ann", None)
    deliver_until(stage, 10, 30, 5)
    stage.app.incidents.resolve(by_code[MINOR], stage.time(MINUTE), fix=None, actor="ann")
    stage.deliver(MINUTE)
    assert sms.summaries[0] == "first SMS_DELIVERY_FAILURE"
    assert (sms.summaries[-1], mail.summaries[-1]) == (f"resolved {MINOR}", f"resolved {MINOR}")
    merged = by_code["SMS_DELIVERY_FAILURE"]
    assert sms.received[-1].incidents == (by_code[MINOR], merged), "whoever counts by number can end both"
    assert f"Merged into this incident: #{merged}." in sms.received[-1].body
