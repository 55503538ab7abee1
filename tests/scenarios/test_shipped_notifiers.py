"""Our own notifiers behind routes, through the real pipeline. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import firstcause_mail
import firstcause_twilio
from firstcause.demo import scenario
from firstcause.demo.fake_twilio import FakeTwilio
from support.mail_server import MailServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

    Stages = Callable[..., Stage]


def notify(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"group_wait": 30, "retry_attempts": 2, "routes": list(routes)}


def mail(server: MailServer) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "from_address": "firstcause@example.com",
        "to": ["ops@example.org"],
    }


def twilio(url: str) -> dict[str, Any]:
    call = {
        "account_sid": scenario.OWN_SID,
        "auth_token": scenario.OWN_TOKEN,
        "from_number": scenario.OWN_NUMBER,
        "to": [scenario.ON_CALL],
    }
    return {"api_url": url, "call": call}


def test_an_incident_is_one_thread_of_mails(stages: Stages) -> None:
    with MailServer() as server:
        stage = stages(notify=notify({"notifiers": ["mail"]}))
        stage.app.plugins.register(firstcause_mail, "mail", mail(server))
        stage.report(0, "TWILIO_API_FAILURE", tenant="acme")
        stage.deliver(31)
        stage.report(600, "TWILIO_API_FAILURE", tenant="acme", resolved=True)
        stage.deliver(601)
        first, over = (letter.mail for letter in server.received)
    number = stage.incident()["id"]
    assert first["Subject"] == f"[P0] CRITICAL: Twilio API connection failed (#{number})"
    assert over["Subject"] == f"[P0] RESOLVED: Twilio API connection failed (#{number})"
    assert over["References"] == first["References"]
    assert over["Message-ID"] != first["Message-ID"]
    assert first["X-Firstcause-Incident"] == over["X-Firstcause-Incident"] == number
    assert "ROOT CAUSE" in first.get_content()
    sent = [(each["notifier"], each["reference"]) for each in stage.incident()["notifications"]]
    assert sent == [("mail", first["Message-ID"]), ("mail", over["Message-ID"])]


def test_the_worst_rings_and_everything_is_mailed(stages: Stages) -> None:
    with MailServer() as server, FakeTwilio() as fake:
        fake.add_account(scenario.OWN_SID, scenario.OWN_TOKEN, [scenario.OWN_NUMBER])
        worst = {"name": "wake", "priorities": ["P0"], "notifiers": ["twilio-call"], "continue": True}
        stage = stages(notify=notify(worst, {"name": "all", "notifiers": ["mail"]}))
        stage.app.plugins.register(firstcause_mail, "mail", mail(server))
        stage.app.plugins.register(firstcause_twilio, "twilio", twilio(fake.url))
        stage.report(0, "TWILIO_API_FAILURE")
        stage.deliver(31)
        stage.report(100, "SLOW_QUERIES", severity="WARNING")
        stage.deliver(140)
    priorities = {each["priority"] for each in stage.incidents()}
    assert len(priorities) == 2, "one of them is no P0"
    assert [call.to for call in fake.calls] == [scenario.ON_CALL]
    assert "Twilio API connection failed" in fake.calls[0].twiml
    assert len(server.received) == 2


def test_without_routes_the_phone_stays_silent(stages: Stages) -> None:
    with MailServer() as server, FakeTwilio() as fake:
        stage = stages(notify=notify())
        stage.app.plugins.register(firstcause_mail, "mail", mail(server))
        stage.app.plugins.register(firstcause_twilio, "twilio", twilio(fake.url))
        server.answers.mail += ["554 no"] * 2
        stage.report(0, "TWILIO_API_FAILURE")
        stage.deliver(31)
    assert fake.calls == []
    assert stage.phones[0].summaries == ["first TWILIO_API_FAILURE"], "the next of those that speak unasked"
