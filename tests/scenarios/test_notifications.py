"""Who is told, by whom, and what happens when that fails. On both databases."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from firstcause.demo import scenario
from support.scenario_app import DeliveryError, Phone, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Stages = Callable[..., Stage]


def test_a_notifier_on_the_broken_component_hands_over_and_the_log_says_so(
    stages: Stages, caplog: pytest.LogCaptureFixture
) -> None:
    sms, mail = Phone("sms", frozenset({"twilio"})), Phone("mail")
    stage = stages(sms, mail)
    with caplog.at_level(logging.WARNING):
        stage.report(0, "TWILIO_API_FAILURE")
        stage.deliver(31)
    assert (sms.received, mail.summaries) == ([], ["first TWILIO_API_FAILURE"])
    assert "notifier sms is passed over: it depends on twilio, which is broken" in caplog.text
    stage.report(60, "TWILIO_API_FAILURE", resolved=True)
    stage.deliver(61)
    assert (sms.received, mail.summaries[1:]) == ([], ["resolved TWILIO_API_FAILURE"]), "who was told of it"


def test_a_failing_notifier_is_tried_again_later_and_later_then_the_next(stages: Stages) -> None:
    sms = Phone("sms", failing=[OSError("no route")] * 3)
    mail = Phone("mail")
    stage = stages(sms, mail)
    stage.report(0, "REDIS_CONNECTION_ERROR")
    tried: list[float] = []
    sms.before_delivery = lambda _notification: tried.append(now)
    for now in range(30, 60):
        stage.deliver(now)
    assert tried == [30, 31, 33]
    assert mail.summaries == ["first REDIS_CONNECTION_ERROR"]
    log = [(each["notifier"], each["status"]) for each in stage.incident()["notifications"]]
    assert log == [("sms", "failed")] * 3 + [("mail", "sent")]
    assert len(stage.incidents()) == 1, "a failing notifier is no incident"


def test_what_cannot_help_is_not_tried_again(stages: Stages) -> None:
    sms = Phone("sms", failing=[DeliveryError("21211: no such number", permanent=True)])
    mail = Phone("mail")
    stage = stages(sms, mail)
    stage.report(0, "REDIS_CONNECTION_ERROR")
    stage.deliver(30)
    assert (len(sms.received), mail.summaries) == (0, ["first REDIS_CONNECTION_ERROR"])


def test_a_receiver_that_asks_for_time_gets_it(stages: Stages) -> None:
    sms = Phone("sms", failing=[DeliveryError("busy", retry_after=20)])
    stage = stages(sms)
    stage.report(0, "REDIS_CONNECTION_ERROR")
    stage.deliver(30)
    stage.deliver(49)
    assert sms.received == []
    stage.deliver(50)
    assert sms.summaries == ["first REDIS_CONNECTION_ERROR"]


def test_when_all_fail_it_is_given_up_and_said_in_the_log(
    stages: Stages, caplog: pytest.LogCaptureFixture
) -> None:
    sms = Phone("sms", failing=[OSError("no route")] * 100)
    stage = stages(sms)
    stage.report(0, "REDIS_CONNECTION_ERROR")
    for at in range(30, 100):
        stage.deliver(at)
    assert len(sms.failing) == 97
    assert "no other is left" in caplog.text


def test_a_crash_while_sending_repeats_it_and_says_that_it_may_be_a_repetition(stages: Stages) -> None:
    sms = Phone("sms")
    stage = stages(sms)
    stage.report(0, "REDIS_CONNECTION_ERROR")
    stage.report(0, "TWILIO_API_FAILURE")
    # As far as a process gets that is killed between sending and writing it down.
    jobs = stage.app.notifications._create_delivery(lambda: stage.time(30)).start_jobs(stage.time(30), ())
    next(jobs)
    stage.deliver(40)
    assert sms.summaries == ["first TWILIO_API_FAILURE"], "another may still be sending the other one"
    again = stages(sms)
    again.app.notifications.release_claims()
    again.deliver(41)
    assert [each.maybe_repeat for each in sms.received] == [False, True]
    assert "may repeat" in sms.received[1].text
    assert sms.received[1].attempted_at == stage.time(30)
    assert [text.startswith("CRITICAL: ") for text in sms.received[1].attempted_texts] == [True]


def test_routes_choose_by_priority_and_go_on_where_they_say_so(stages: Stages) -> None:
    night, day, all_of_it = Phone("night"), Phone("day"), Phone("all")
    routes = [
        {"notifiers": ["all"], "continue": True},
        {"notifiers": ["night"], "priorities": ["P0"]},
        {"notifiers": ["day"]},
    ]
    stage = stages(night, day, all_of_it, notify={"group_wait": 0, "routes": routes})
    stage.report(0, "TWILIO_API_FAILURE")
    stage.report(0, "BILLING_LATE")
    stage.deliver(1)
    assert night.summaries == ["first TWILIO_API_FAILURE"]
    assert day.summaries == ["first BILLING_LATE"]
    assert sorted(all_of_it.summaries) == ["first BILLING_LATE", "first TWILIO_API_FAILURE"]


def test_the_log_of_notifications_keeps_what_was_known(stage: Stage) -> None:
    source = {"file": "a.js", "line": 7, "function": "send", "query": "q"}
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme", source=source)
    stage.report(0, "TWILIO_API_FAILURE")
    stage.deliver(31)
    (row,) = stage.rows("notification_log")
    known = row["intelligence"]
    assert (row["code"], row["severity"], row["priority"], row["reference"]) == (
        "TWILIO_API_FAILURE", "CRITICAL", "P0", "phone-1",
    )  # fmt: skip
    assert known["error_source"] == {**source, "code": "SMS_DELIVERY_FAILURE"}
    assert known["fix"]["env_vars"][0] == "TWILIO_ACCOUNT_SID"
    assert known["dependencies"]["cascade_failures"][0]["code"] == "SMS_DELIVERY_FAILURE"
    assert known["impact"]["companies"] == ["acme"]
    assert known["related"][0]["code"] == "SMS_DELIVERY_FAILURE"


SECRETS = (
    "hunter22secret",
    scenario.APP_TOKEN,
    "s3ss10n-cookie-value",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
)


def test_secrets_reach_neither_store_nor_report_nor_message_nor_log(
    stages: Stages, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    password, token, cookie, github = SECRETS
    (tmp_path / "app.env").write_text(scenario.env_file(has_credentials=True))
    stage = stages(health={"env_file": "app.env"})
    caplog.set_level(logging.DEBUG, "firstcause")
    stage.enrichment = lambda _event: __import__("firstcause").Enrichment(
        details={"password": password}, tags={"t": token}
    )
    stage.report(
        0,
        "TWILIO_API_FAILURE",
        message=f"login with password={password} failed; {token} was refused",
        details={
            "headers": {"Cookie": cookie},
            "deep": [{"auth_token": password}],
            "url": f"https://u:{password}@h/",
        },
        stack=f"at login('{token}')\n{github}",
        tags={"pat": github},
        source={"file": "x", "query": f"SELECT '{token}'"},
    )
    stage.phones[0].failing = [OSError(f"401 for {token}")]
    stage.deliver(31)
    stage.deliver(40)
    number = stage.incident()["id"]
    shown = [
        stage.app.incidents.render_debug_report(number, form, stage.time(50))
        for form in ("text", "markdown", "json")
    ]
    said = [each.text + each.body for each in stage.phones[0].received]
    assert said
    for place in (stage.everything_stored(), *shown, *said, json.dumps(stage.incident()), caplog.text):
        for secret in SECRETS:
            assert secret not in place


def test_a_probes_secret_is_masked_too(stages: Stages, tmp_path: Any) -> None:
    (tmp_path / "app.env").write_text(scenario.env_file(has_credentials=True))
    stage = stages(health={"env_file": "app.env"})
    stage.probe(0, Status.DOWN, detail=f"refused {scenario.APP_TOKEN}", data={"token": scenario.APP_TOKEN})
    assert scenario.APP_TOKEN not in stage.everything_stored()
