"""Which incidents come of which errors: late roots, tenants, hops, recovery. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

from firstcause.demo import scenario
from support.scenario_app import Stage, Status

if TYPE_CHECKING:
    import pytest


def roles(incident: dict[str, Any]) -> dict[str, str]:
    return {alert["code"]: alert["role"] for alert in incident["alerts"]}


def test_the_seeds_storm_is_one_incident_and_one_message(stage: Stage) -> None:
    for number, event in enumerate(scenario.build_storm()):
        stage.report(number * 0.1, event["code"], tenant=event.get("tenant"), service=event["service"])
    stage.deliver(10)
    stage.probe(20, Status.DOWN, detail="Twilio 20003: Authenticate")
    stage.deliver(60)
    incident = stage.incident()
    assert incident["root"] == {"code": "TWILIO_API_FAILURE", "service": "twilio", "tenant": None}
    assert (incident["status"], incident["priority"], incident["events"]) == ("open", "P0", 48)
    assert roles(incident) == {
        "TWILIO_API_FAILURE": "root",
        "SMS_DELIVERY_FAILURE": "cascade",
        "TWILIO_GREETING_FAILURE": "cascade",
        "NOTIFICATION_SYSTEM_FAILURE": "cascade",
    }
    assert incident["impact"]["companies"] == sorted(scenario.TENANTS)
    assert stage.phones[0].summaries == ["first TWILIO_API_FAILURE"]
    stage.probe(300, Status.UP)
    stage.deliver(301)
    incident = stage.incident()
    assert incident["status"] == "resolved"
    assert all(alert["resolved_at"] for alert in incident["alerts"])
    stage.probe(360, Status.UP)
    stage.deliver(1000)
    assert stage.phones[0].summaries == ["first TWILIO_API_FAILURE", "resolved TWILIO_API_FAILURE"]


def test_a_root_that_comes_last_adopts_what_was_open(stage: Stage) -> None:
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    first = stage.incident()["id"]
    stage.report(1, "TWILIO_GREETING_FAILURE", tenant="acme")
    second = next(one["id"] for one in stage.incidents() if one["id"] != first)
    stage.report(40, "TWILIO_API_FAILURE")
    incident = stage.incident()
    assert incident["id"] == first
    assert incident["opened_at"] == "2026-11-01T03:00:00.000Z"
    assert incident["root"]["code"] == "TWILIO_API_FAILURE"
    assert stage.app.incidents.get_incident(second)["id"] == first, (
        "the old number leads to where it lives on"
    )


def test_a_root_found_after_the_first_message_is_said_once_as_the_new_cause(stage: Stage) -> None:
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    stage.deliver(31)
    stage.report(60, "TWILIO_API_FAILURE")
    stage.deliver(61)
    stage.report(70, "SMS_DELIVERY_FAILURE", "TWILIO_API_FAILURE", tenant="bolt")
    stage.deliver(2000)
    assert stage.phones[0].summaries == ["first SMS_DELIVERY_FAILURE", "new_root TWILIO_API_FAILURE"]
    assert stage.phones[0].received[1].text.startswith("NEW CAUSE: Twilio API connection failed")


def test_a_tenants_error_never_explains_anothers(stage: Stage) -> None:
    stage.report(0, "AI_AGENT_INIT_FAILURE", tenant="acme")
    stage.report(1, "TWILIO_GREETING_FAILURE", tenant="bolt")
    assert sorted(one["root"]["code"] for one in stage.incidents()) == [
        "AI_AGENT_INIT_FAILURE", "TWILIO_GREETING_FAILURE",
    ]  # fmt: skip


def test_a_platforms_error_explains_every_tenants(stage: Stage) -> None:
    stage.report(0, "TWILIO_GREETING_FAILURE", tenant="acme")
    stage.report(1, "TWILIO_GREETING_FAILURE", tenant="bolt")
    stage.report(2, "AI_AGENT_INIT_FAILURE")
    assert stage.incident()["root"] == {"code": "AI_AGENT_INIT_FAILURE", "service": None, "tenant": None}


def test_the_cause_of_a_cause_is_the_root(stage: Stage) -> None:
    stage.report(0, "TWILIO_GREETING_FAILURE", tenant="acme")
    stage.report(1, "DB_CONNECTION_ERROR")
    stage.report(2, "AI_AGENT_INIT_FAILURE", tenant="acme")
    incident = stage.incident()
    ids = {alert["id"]: alert["code"] for alert in incident["alerts"]}
    above = {alert["code"]: ids.get(alert["caused_by"]) for alert in incident["alerts"]}
    assert incident["root"]["code"] == "DB_CONNECTION_ERROR"
    assert above["AI_AGENT_INIT_FAILURE"] == "DB_CONNECTION_ERROR"
    assert above["TWILIO_GREETING_FAILURE"] in {"AI_AGENT_INIT_FAILURE", "DB_CONNECTION_ERROR"}


def test_an_error_nobody_described_has_an_incident_of_its_own(stage: Stage) -> None:
    stage.report(0, "BILLING_WEBHOOK_LATE", severity="CRITICAL", tenant="acme")
    stage.take(1, stage.event(1, message="order 4711 could not be booked", service="shop"))
    stage.take(2, stage.event(2, message="order 4712 could not be booked", service="shop"))
    shop, billing = stage.incidents()
    assert (billing["root"]["code"], billing["priority"]) == ("BILLING_WEBHOOK_LATE", "P1")
    assert (shop["title"], shop["events"]) == ("order 4711 could not be booked", 2)
    assert not any(alert["catalogued"] for one in (shop, billing) for alert in one["alerts"])
    registered = {
        row["code"]: (row["catalogued"], row["count"]) for row in stage.rows("notification_registry")
    }
    assert registered == {"BILLING_WEBHOOK_LATE": (False, 1), "UNCATALOGUED": (False, 2)}


def test_information_is_kept_and_wakes_nobody(stage: Stage) -> None:
    stage.report(0, "CACHE_WARMED", severity="INFO")
    stage.deliver(1000)
    assert stage.incident()["suppressed"] is True
    assert stage.phones[0].received == []
    stage.report(2000, "CACHE_WARMED", severity="CRITICAL")
    stage.deliver(2031)
    assert stage.phones[0].summaries == ["first CACHE_WARMED"], "it is information no longer"


def test_a_person_resolves_once(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE")
    stage.deliver(31)
    number = stage.incident()["id"]
    first = stage.app.incidents.resolve(number, stage.time(100), fix="rotated", actor="ada")
    again = stage.app.incidents.resolve(number, stage.time(200), fix="other", actor="bob")
    stage.deliver(300)
    assert (again["resolved_at"], again["fix"]) == (first["resolved_at"], "rotated")
    assert [each["what"] for each in again["timeline"]].count("resolved, with its cascades") == 1
    assert stage.phones[0].summaries == ["first TWILIO_API_FAILURE", "resolved TWILIO_API_FAILURE"]


def test_what_ends_before_it_was_said_is_not_said(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE")
    stage.report(10, "TWILIO_API_FAILURE", resolved=True)
    stage.deliver(1000)
    assert stage.incident()["status"] == "resolved"
    assert stage.phones[0].received == []


def test_a_cascade_that_ends_leaves_the_root_open(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE")
    stage.report(10, "SMS_DELIVERY_FAILURE", resolved=True)
    assert stage.incident()["status"] == "open"
    stage.report(20, "TWILIO_API_FAILURE", resolved=True)
    assert stage.incident()["status"] == "resolved"


def test_it_comes_back_as_a_new_incident(stage: Stage) -> None:
    for at in (0, 1000):
        stage.probe(at, Status.DOWN)
        stage.deliver(at + 31)
        stage.probe(at + 100, Status.UP)
        stage.deliver(at + 101)
    assert [one["status"] for one in stage.incidents()] == ["resolved", "resolved"]
    assert stage.phones[0].summaries == ["first TWILIO_API_FAILURE", "resolved TWILIO_API_FAILURE"] * 2


def test_a_late_occurrence_opens_nothing(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.report(100, "REDIS_SLOW", resolved=True)
    stage.take(200, stage.event(50, "REDIS_SLOW"))
    incident = stage.incident()
    assert (incident["status"], incident["events"]) == ("resolved", 2)


def test_what_nobody_reports_any_more_is_over(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    stage.app.maintenance.sweep(stage.time(86_000))
    stage.app.pipeline.triage_all(stage.time(86_000))
    assert stage.incident()["status"] == "open"
    stage.app.maintenance.sweep(stage.time(86_500))
    stage.app.pipeline.triage_all(stage.time(86_500))
    assert stage.incident()["status"] == "resolved"


def test_three_tenants_raise_what_would_have_waited(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW", tenant="acme")
    stage.report(0, "REDIS_SLOW", tenant="bolt")
    before = stage.incident()["priority"]
    stage.report(1, "REDIS_SLOW", tenant="cora")
    after = stage.incident()
    assert (before, after["priority"], after["impact"]["tenants"]) == ("P2", "P1", "ALL")


def test_a_storm_costs_a_rule_run_an_alert_not_an_event(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inference = stage.app.rules.current.inference
    runs = mock.Mock(side_effect=inference.evaluate)
    monkeypatch.setattr(inference, "evaluate", runs)
    for at in range(10):
        stage.report(at, *["REDIS_CONNECTION_ERROR"] * 300)
    assert stage.incident()["events"] == 3000
    assert runs.call_count == 1, "only the first batch changed anything"
