"""Every answer of every operation of the API against its type and against the published schema."""

from __future__ import annotations

import types
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from pydantic import BaseModel

import firstcause.app.answers as status_answers
import firstcause.health.answers as health_answers
import firstcause.incidents.answers as incident_answers
import firstcause_alertmanager
import firstcause_cloudevents
import firstcause_otlp
import firstcause_sentry
from firstcause import DeliveryError, Reading, Remedy, Status, hookimpl
from firstcause.app.answers import (
    LivenessAnswer,
    MistakeAnswer,
    ReadinessAnswer,
    RejectedRulesAnswer,
    RulesAnswer,
    StatusAnswer,
)
from firstcause.core.incidents.debug_report import DebugReport
from firstcause.errors import ConfigError, Mistake, RuleFileError
from firstcause.health.answers import PartialAnswer
from firstcause.incidents.answers import IncidentSearch
from firstcause.incidents.serializers import serialize_rules
from firstcause.intake.answers import EventReceipt, RejectedEvent
from firstcause.rulebase.rulebase import RejectedReload
from firstcause.web import api
from support.answer_types import validate_answer
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from support.scenario_app import Stage

PREFIX = "/api/v1/"
NOTIFY = {"group_wait": 0.05, "retry_attempts": 3, "routes": [{"name": "on call", "notifiers": ["phone"]}]}
RULES = {"thresholds": {"fix_held_for": 0}}


def build_remedies() -> types.ModuleType:
    @hookimpl
    def firstcause_remedies() -> list[Remedy]:
        return [Remedy("flush", "redis", lambda: "DEL cache:*", lambda: "flushed")]

    module = types.ModuleType("remedies")
    vars(module).update(firstcause_remedies=firstcause_remedies)
    return module


class Caller:
    """Calls operations and validates their answers.

    covered: the operations that were called. seen: the models that answers had instances of.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._document = client.get("/api/openapi.json").json()
        self._kinds: dict[tuple[str, str], Any] = {
            (method, route.path): route.response_model  # type: ignore[attr-defined]
            for route in api.router.routes
            for method in route.methods  # type: ignore[attr-defined]
        } | {("POST", "/api/v1/events"): EventReceipt}
        self.covered: set[tuple[str, str]] = set()
        self.seen: set[type[BaseModel]] = set()

    def list_operations(self) -> set[tuple[str, str]]:
        paths = self._document["paths"]
        return {(method.upper(), path) for path in paths if path.startswith(PREFIX) for method in paths[path]}

    def get(self, path: str, *values: str, **query: Any) -> Any:
        return self.call("GET", path, *values, params=query)

    def post(self, path: str, *values: str, **body: Any) -> Any:
        return self.call("POST", path, *values, json=body or None)

    def call(self, method: str, path: str, *values: str, **options: Any) -> Any:
        """Call an operation. path: of the document, without the prefix. values: of its parameters."""
        template = PREFIX + path
        names = template
        for value in values:
            names = names[: names.index("{")] + value + names[names.index("}") + 1 :]
        response = self._client.request(method, names, **options)
        assert response.is_success, response.text
        answer = response.json()
        self.covered.add((method, template))
        self.seen |= validate_answer(self._kinds[method, template], answer)
        responses = self._document["paths"][template][method.lower()]["responses"]
        schema = responses[str(response.status_code)]["content"]["application/json"]["schema"]
        jsonschema.validate(answer, schema | {"components": self._document["components"]})
        return answer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    plugins = build_remedies()
    with serve_stage(tmp_path, plugins, notify=NOTIFY, rules=RULES) as (client, stage):
        yield client, stage


def test_every_answer_is_of_its_type(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    caller = Caller(client)
    stage.phones[0].failing.append(DeliveryError("busy"))
    take_snapshots(caller, stage)
    act_on_incidents(caller, stage)
    silence(caller)
    flap(caller)
    for path in ("remedies", "catalog", "status", "health", "plugins"):
        caller.get(path)
    caller.get("remedies/{name}", "flush")
    caller.post("remedies/{name}/run", "flush", by="anna")
    assert caller.list_operations() == caller.covered
    models = {
        value
        for module in (health_answers, incident_answers, status_answers)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    } | {EventReceipt, RejectedEvent, DebugReport}
    # test_rejected_rule_files_are_of_their_type has these.
    models -= {PartialAnswer, RejectedRulesAnswer, MistakeAnswer}
    # tests/scenarios/test_self_check.py has these.
    models -= {ReadinessAnswer, LivenessAnswer, IncidentSearch}
    assert models <= caller.seen


def take_snapshots(caller: Caller, stage: Stage) -> None:
    caller.get("health")
    stage.readings["twilio"] = Reading(status=Status.UP, data={"calls_count": 4, "version": "1"})
    caller.post("check")
    caller.post("snapshots/{name}/pin", "latest", by="anna")
    caller.call("POST", "events", json=[{"code": "REDIS_SLOW", "tenant": "acme"}, {"code": "SOMETHING"}, {}])
    code = "TWILIO_API_FAILURE"
    stage.readings["twilio"] = Reading(
        status=Status.DOWN, detail="401", code=code, data={"calls_count": 900, "version": "2"}
    )
    caller.post("probes/{name}/run", "twilio")
    worse = caller.post("check")
    assert worse["comparison"]["changes"]
    assert caller.get("diff", before="good", after="latest")["is_regression"]
    for name in ("good", "latest", worse["snapshot_id"]):
        caller.get("snapshots/{name}", name)
    caller.get("snapshots")
    assert caller.get("trend", metric="twilio.calls_count")["points"]
    caller.get("trend", metric="twilio.latency_ms", minutes=0.0001)
    caller.get("forecast", metric="twilio.calls_count", limit=5000)
    caller.post("snapshots/{name}/pin", "latest", undo=True)
    caller.get("health")


def act_on_incidents(caller: Caller, stage: Stage) -> None:
    reported = [
        {"code": code, "tenant": "acme", "service": "sms", "message": "it broke", "details": {"n": 1}}
        for code in ("SMS_DELIVERY_FAILURE", "TWILIO_GREETING_FAILURE", "TWILIO_API_FAILURE")
    ]
    caller.call("POST", "events", json=reported)
    stage.app.notifications.send_drill("REDIS_SLOW", None, datetime.now(UTC))
    listed = wait_until(lambda: list_when_notified(caller), "cascades, a failed message and a drill")
    number = next(row["id"] for row in listed if row["root"]["code"] == "TWILIO_API_FAILURE")
    other = next(row["id"] for row in listed if row["root"]["code"] == "REDIS_SLOW" and not row["drill"])
    for each in (number, other):
        caller.get("incidents/{number}", each)
        caller.get("incidents/{number}/debug", each)
        caller.get("incidents/{number}/explain", each)
    caller.post("incidents/{number}/ack", number, by="anna", comment="on it")
    caller.post("incidents/{number}/ack", number, undo=True)
    merged = caller.post("incidents/{number}/merge", other, into=number, by="anna", reason="the same")
    effect = next(alert["id"] for alert in merged["alerts"] if alert["code"] == "REDIS_SLOW")
    caller.post("incidents/{number}/split", number, alerts=[effect])
    caller.get("incidents/{number}", other)
    caller.post("incidents/{number}/resolve", number, fix="put the token back")
    caller.get("incidents/{number}/explain", number)
    suggest_fix(caller)


def suggest_fix(caller: Caller) -> None:
    first, second = (report_and_resolve(caller) for _ in range(2))
    assert first != second
    assert caller.get("incidents/{number}", second)["suggestions"]
    caller.get("incidents/{number}/debug", second)


def report_and_resolve(caller: Caller) -> str:
    event = {"code": "COMPANY_DATABASE_EMPTY", "tenant": "acme", "labels": {"shard": "1"}}
    caller.call("POST", "events", json=event)
    opened = wait_until(
        lambda: [
            row["id"]
            for row in caller.get("incidents", status="open")["incidents"]
            if row["root"]["code"] == "COMPANY_DATABASE_EMPTY"
        ],
        "the incident",
    )
    number = str(opened[0])
    caller.post("incidents/{number}/resolve", number, fix="imported the data again")
    return number


def list_when_notified(caller: Caller) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = caller.get("incidents", limit=1000)["incidents"]
    outcomes = {message["status"] for row in listed for message in row["notifications"]}
    has_drill = any(row["drill"] for row in listed)
    has_cascade = any(
        len(row["alerts"]) >= 3 and row["root"]["code"] == "TWILIO_API_FAILURE" for row in listed
    )
    return listed if outcomes == {"sent", "failed"} and has_drill and has_cascade else []


def silence(caller: Caller) -> None:
    for code in ("TWILIO_API_FAILURE", "REDIS_SLOW"):
        caller.call("POST", "silences", json={"matchers": [f"code={code}"], "for": "2h", "comment": "known"})
    caller.call("DELETE", "silences/{number}", "2", params={"by": "anna"})
    assert {row["state"] for row in caller.get("silences", ended=True)["silences"]} == {"active", "expired"}
    wait_until(
        lambda: any(row["silenced_by"] for row in caller.get("incidents")["incidents"]), "a silenced incident"
    )


def flap(caller: Caller) -> None:
    """Begin and end the error of one instance until its incident flaps."""

    def list_ends() -> list[bool]:
        rows = caller.get("incidents")["incidents"]
        return [row["alerts"][0]["resolved_at"] is not None for row in rows if row["root"]["code"] == "FLAPS"]

    for number in range(5):
        resolved = number % 2 == 1
        event = {"code": "FLAPS", "tags": {"instance": "a"}, "resolved": resolved}
        caller.call("POST", "events", json=event)
        wait_until((lambda: list_ends() == [True]) if resolved else lambda: list_ends() == [False], "it")
    (row,) = (row for row in caller.get("incidents")["incidents"] if row["root"]["code"] == "FLAPS")
    assert row["flapping"]["times"] == 3


def test_every_operation_has_the_schema_of_its_answer(tmp_path: Path) -> None:
    formats = (firstcause_alertmanager, firstcause_cloudevents, firstcause_otlp, firstcause_sentry)
    with serve_stage(tmp_path, *formats) as (client, _stage):
        document = client.get("/api/openapi.json").json()
        payload = {"alerts": [{"labels": {"alertname": "DiskFull"}, "status": "firing"}]}
        receipt = client.post("/api/v1/webhooks/alertmanager", json=payload)
    validate_answer(EventReceipt, receipt.json())
    operations = {
        f"{method} {path}": call
        for path, methods in document["paths"].items()
        if path.startswith(PREFIX)
        for method, call in methods.items()
    }
    assert len(operations) >= 27
    for name, call in operations.items():
        answers = [answer for status, answer in call["responses"].items() if status.startswith("2")]
        assert answers, name
        for answer in answers:
            schema = answer["content"]["application/json"]["schema"]
            assert schema.get("$ref") or schema.get("type"), name
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"]["IncidentAnswer"])


def test_answers_may_get_further_fields_and_requests_may_not(served: tuple[httpx.Client, Stage]) -> None:
    client, _stage = served
    document = client.get("/api/openapi.json").json()
    schemas = document["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert closed == {"Ack", "Merge", "NewSilence", "Pin", "Split"}
    incident = schemas["IncidentAnswer"]
    assert set(incident["required"]) == set(incident["properties"])
    assert set(schemas["Impact"]["required"]) == set(schemas["Impact"]["properties"])
    observed = schemas["ObservationAnswer"]
    assert set(observed["properties"]) - set(observed["required"]) == {"code", "data"}


def test_rejected_rule_files_are_of_their_type(served: tuple[httpx.Client, Stage]) -> None:
    _client, stage = served
    book = stage.app.rules.current.book
    mistakes = [Mistake("rules/x.yaml", 3, 1, "unknown key")]
    for error in (RuleFileError(mistakes), ConfigError("no such folder")):
        rejected = RejectedReload(datetime.now(UTC) - timedelta(hours=1), error)
        validate_answer(RulesAnswer, serialize_rules(book, rejected))
    validate_answer(StatusAnswer, stage.app.monitoring.get_status(datetime.now(UTC)))


def test_an_answer_unlike_its_type_is_seen() -> None:
    good = {"accepted": 1, "rejected": [{"index": 0, "error": "empty"}]}
    validate_answer(EventReceipt, good)
    for bad in (
        good | {"more": 1},
        {"accepted": 1},
        good | {"accepted": "1"},
        {"rejected": [], "accepted": 1},
    ):
        with pytest.raises((ValueError, AssertionError)):
            validate_answer(EventReceipt, bad)
