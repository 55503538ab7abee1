"""OpenTelemetry's own exporter of logs, and what it was recorded to send."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstcause_otlp
from firstcause import Event, IntakeError, Severity
from firstcause.intake.decompression import decompress
from firstcause_otlp.config import Config
from firstcause_otlp.parser import Parser
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from support.scenario_app import Stage

PUBLIC = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or "none") / "payloads" / "public"
CAPTURED = sorted((PUBLIC / "captured").glob("otlp_python/*_logs.body"))
recorded = pytest.mark.skipif(
    not CAPTURED, reason="FIRSTCAUSE_TEST_DATA names no folder with payloads/public"
)
JSON, PROTOBUF = {"content-type": "application/json"}, {"content-type": "application/x-protobuf"}

APPLICATION = """
import logging, sys
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

provider = LoggerProvider(resource=Resource.create({"service.name": "checkout"}))
exporter = OTLPLogExporter(endpoint=sys.argv[1], compression=Compression.Gzip)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
log = logging.getLogger("shop")
log.addHandler(LoggingHandler(logger_provider=provider))
log.setLevel(logging.INFO)

def pay():
    return {}["card"]

log.info("hello")
log.error("no template for %s", "welcome", extra={"tenant": "acme", "code": "TEMPLATE_MISSING"})
try:
    pay()
except KeyError:
    log.exception("paying failed")
provider.shutdown()
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    with serve_stage(tmp_path, firstcause_otlp) as both:
        yield both


def export(*records: dict[str, Any], **resource: str) -> dict[str, Any]:
    known = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    return {
        "resourceLogs": [{"resource": {"attributes": known}, "scopeLogs": [{"logRecords": list(records)}]}]
    }


def read(sent: object, **config: Any) -> list[Event]:
    return list(Parser(Config.model_validate(config)).parse(json.dumps(sent).encode(), JSON).events)


def test_the_real_exporter_is_a_sender_as_it_is(served: tuple[httpx.Client, Stage], tmp_path: Path) -> None:
    client, stage = served
    (tmp_path / "shop.py").write_text(APPLICATION)
    url = f"{client.base_url.join('/v1/logs')}"
    program = (sys.executable, "-W", "ignore", str(tmp_path / "shop.py"), url)
    subprocess.run(program, check=True, timeout=60, cwd=tmp_path)
    found = wait_until(lambda: len(stage.rows("event")) >= 2 and stage.rows("event"), "two errors")
    said, raised = sorted((row["event"] for row in found), key=lambda event: "stack" in event)
    assert (said["message"], said["code"]) == ("no template for welcome", "TEMPLATE_MISSING")
    assert (said["tenant"], said["service"]) == ("acme", "checkout")
    assert (raised["message"], raised["service"]) == ("KeyError: card", "checkout")
    assert raised["details"]["log"] == "paying failed"
    assert "in pay" in raised["stack"]
    assert raised["source"]["file"].endswith("shop.py")


@recorded
def test_every_recorded_export_is_read() -> None:
    events: list[Event] = []
    for file in CAPTURED:
        headers = json.loads(file.with_suffix(".meta.json").read_text())["headers"]
        lower = {name.lower(): value for name, value in headers.items()}
        body = decompress(file.read_bytes(), lower.get("content-encoding", ""), 1 << 20)
        events += Parser(Config(min_severity=1)).parse(body, lower).events
    assert events
    assert all(event.service and event.message and event.time.year == 2026 for event in events)


@recorded
def test_the_specifications_own_example_is_read_and_is_no_error() -> None:
    body = (PUBLIC / "otlp" / "logs.json").read_bytes()
    assert Parser(Config()).parse(body, JSON).ignored == {"severity info": 1}
    (event,) = Parser(Config(min_severity=1)).parse(body, JSON).events
    assert (event.message, event.service, event.severity) == (
        "Example log record",
        "my.service",
        Severity.INFO,
    )
    assert event.time.year == 2018
    assert event.details["array.attribute"] == ["many", "values"]
    assert event.details["map.attribute"] == {"some.map.key": "some value"}
    assert event.tags["trace"] == "5b8efff798038103d269b633813fc60c"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"severityNumber": 17}, None),
        ({"severityNumber": 21}, Severity.CRITICAL),
        ({"severityNumber": "21"}, Severity.CRITICAL),
        ({"severityNumber": "SEVERITY_NUMBER_ERROR2"}, None),
        ({"severityNumber": "SEVERITY_NUMBER_FATAL"}, Severity.CRITICAL),
        ({"severityText": "critical"}, Severity.CRITICAL),
        ({"severityText": "Error"}, None),
        ({"severityText": "ERR"}, None),
        ({"severityText": "SEVERE"}, None),
        ({"severityText": "emerg"}, Severity.CRITICAL),
        ({"severityText": "P1"}, Severity.CRITICAL),
        ({"severityNumber": 0, "severityText": "fatal3"}, Severity.CRITICAL),
        ({"attributes": [{"key": "exception.type", "value": {"stringValue": "KeyError"}}]}, None),
        ({"attributes": [{"key": "level", "value": {"stringValue": "panic"}}]}, Severity.CRITICAL),
    ],
)
def test_errors_are_known_by_number_name_or_text(given: dict[str, Any], taken: Severity | None) -> None:
    (event,) = read(export({**given, "body": {"stringValue": "x"}}))
    assert event.severity is taken


@pytest.mark.parametrize(
    "given", [{}, {"severityNumber": 13}, {"severityText": "warning"}, {"severityText": "?"}]
)
def test_others_are_let_go(given: dict[str, Any]) -> None:
    assert read(export({**given, "body": {"stringValue": "x"}})) == []


def pairs(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"log": {"stringValue": "db is locked"}, "stream": {"stringValue": "stderr"}}, "db is locked"),
        ({"msg": {"stringValue": "no route"}, "stack": {"stringValue": "at f (a.js:1:2)"}}, "no route"),
        ({"error": {"kvlistValue": {"values": pairs(message={"stringValue": "deep"})}}}, "deep"),
        ({"a": {"intValue": "7"}}, '{"a": 7}'),
    ],
)  # fmt: skip
def test_the_words_of_a_body_that_is_a_map(body: dict[str, Any], message: str) -> None:
    sent = {"severityNumber": 17, "body": {"kvlistValue": {"values": pairs(**body)}}}
    (event,) = read(export(sent))
    assert event.message == message
    assert set(event.details["log"]) == set(body)
    assert event.stack == ("at f (a.js:1:2)" if "stack" in body else None)


@pytest.mark.parametrize(
    ("attributes", "message", "is_body_kept"),
    [
        ({"exception.message": "nightly"}, "job nightly failed", False),
        ({"exception.type": "4"}, "job nightly failed", False),
        ({"exception.type": "4", "exception.message": "nightly"}, "job nightly failed", False),
        ({"exception.type": "KeyError", "exception.message": "'id'"}, "KeyError: 'id'", True),
        ({"exception.type": "KeyError"}, "KeyError", True),
        ({"exception.message": "no id", "exception.stacktrace": "at f (a.js:1:2)"}, "no id", True),
    ],
)
def test_an_argument_of_a_log_call_is_not_taken_for_an_exception(
    attributes: dict[str, str], message: str, is_body_kept: bool
) -> None:
    """winston's transport sends a placeholder's text as exception.message, and a field `code` as its type."""
    (event,) = read(export({"severityNumber": 17, "body": "job nightly failed", "attributes": attributes}))
    assert event.message == message
    assert ("log" in event.details) == is_body_kept
    without_stack = {name: value for name, value in attributes.items() if name != "exception.stacktrace"}
    assert without_stack.items() <= event.details.items()


@pytest.mark.parametrize("key", ["err", "error", "exception"])
def test_an_exception_that_is_a_map_is_an_exception(key: str) -> None:
    """As pino's transport sends what pino's own serializer makes of an Error."""
    error = {
        "type": "TypeError",
        "message": "no id",
        "stack": "TypeError: no id\n    at f (a.js:1:2)",
        "syscall": "x",
    }
    sent = {"severityNumber": 21, "body": "job nightly failed", "attributes": {key: error, "tenant": "acme"}}
    (event,) = read(export(sent))
    assert (event.message, event.stack, event.tenant) == ("TypeError: no id", error["stack"], "acme")
    assert event.details["log"] == "job nightly failed"
    assert event.details[key] == {"syscall": "x"}


@pytest.mark.parametrize("error", [{"type": "T", "message": "m"}, {"stack": 7}, {"stack": " "}, "words", {}])
def test_a_map_without_a_stack_is_a_detail(error: object) -> None:
    (event,) = read(export({"severityNumber": 17, "body": "failed", "attributes": {"err": error}}))
    assert (event.message, event.stack, event.details["err"]) == ("failed", None, error)


def test_a_message_of_an_exception_alone_is_the_text_where_no_body_is() -> None:
    (event,) = read(export({"severityNumber": 17, "attributes": {"exception.message": "disk full"}}))
    assert event.message == "disk full"


def test_the_level_within_a_map_counts_where_the_record_has_none() -> None:
    bodies = [pairs(level={"stringValue": level}, msg={"stringValue": "x"}) for level in ("info", "FATAL")]
    result = Parser(Config()).parse(
        json.dumps(export(*({"body": {"kvlistValue": {"values": body}}} for body in bodies))).encode(), JSON
    )
    assert [event.severity for event in result.events] == [Severity.CRITICAL]
    assert result.ignored == {"severity info": 1}


def test_the_level_within_a_text_that_is_json_counts_too() -> None:
    words = {"msg": "no route", "stack": "Error: no route\n    at f (a.js:1:2)"}
    texts = [json.dumps({"level": level, **words}) for level in ("info", "error")]
    (event,) = read(export(*({"body": {"stringValue": text}} for text in (*texts, "{broken", "[1]"))))
    assert (event.message, event.stack) == (texts[1], words["stack"])


def test_plain_values_are_read_though_they_are_not_wrapped() -> None:
    sent = {"severityNumber": 17, "body": "plain words", "attributes": {"code": "A_B", "n": 7}}
    (event,) = read(export(sent))
    assert (event.message, event.code, event.details["n"]) == ("plain words", "A_B", 7)
    (event,) = read(export({"severityNumber": 17, "body": {"message": "an object", "x": 1}}))
    assert event.message == "an object"


def test_instances_are_tags() -> None:
    names = {
        "service.name": "shop", "service.instance.id": "i-7", "k8s.pod.name": "shop-0",
        "deployment.environment.name": "production", "telemetry.sdk.name": "x",
    }  # fmt: skip
    (event,) = read(export({"severityNumber": 17, "body": {"stringValue": "x"}}, **names))
    del names["telemetry.sdk.name"]
    assert event.tags == {**names, "environment": "production"}


def test_what_is_let_go_is_counted_and_what_cannot_be_read_is_answered(
    served: tuple[httpx.Client, Stage],
) -> None:
    client, stage = served
    body = {"stringValue": "x"}
    sent = export({"severityNumber": 9, "body": body}, {"body": body}, {"severityNumber": 17, "body": body})
    sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"].append(7)
    sent["resourceLogs"].append({"resource": {}, "instrumentationLibraryLogs": []})
    answer = client.post("/v1/logs", json=sent)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "partialSuccess": {
                "rejectedLogRecords": "2",
                "errorMessage": "resourceLogs.0.scopeLogs.0.logRecords.3 is not a JSON object",
            }
        },
    )
    assert len(stage.accepted()) == 1
    intake = client.get("/api/v1/status").json()["intake"]
    assert intake["passed"] == {"otlp": {"severity info": 1, "without severity": 1}}
    assert intake["rejected"] == {"otlp": {"no event": 2}}
    assert 'firstcause_items_ignored_total{format="otlp",kind="without severity"} 1' in (
        client.get("/metrics").text
    )


def test_keys_that_nobody_knows_are_refused(served: tuple[httpx.Client, Stage]) -> None:
    old: dict[str, Any] = {
        "resourceLogs": [{"resource": {}, "instrumentationLibraryLogs": [{"logRecords": []}]}]
    }
    answer = served[0].post("/v1/logs", json=old)
    assert answer.status_code == 422
    assert answer.json()["error"] == "resourceLogs.0 has no scopeLogs, but instrumentationLibraryLogs"
    empty = {"resourceLogs": [{"resource": {}, "schemaUrl": "x"}, {"scopeLogs": [{"scope": {}}]}]}
    assert served[0].post("/v1/logs", json=empty).status_code == 200


def test_protobufs_own_names_of_keys_are_json_too() -> None:
    record = {
        "severity_number": 17, "time_unix_nano": "1000000000", "trace_id": "ab",
        "body": {"string_value": "x"}, "attributes": [{"key": "my_key", "value": {"int_value": "7"}}],
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"string_value": "shop"}}]}
    sent = {"resource_logs": [{"resource": resource, "scope_logs": [{"log_records": [record]}]}]}
    (event,) = read(sent)
    assert (event.message, event.service, event.time.year) == ("x", "shop", 1970)
    assert (event.details["my_key"], event.tags["trace"]) == (7, "ab")


def test_the_same_record_again_is_the_same_occurrence() -> None:
    record = {"severityNumber": 17, "body": {"stringValue": "x"}, "timeUnixNano": "1"}
    one, two, other = read(export(record, record, {**record, "timeUnixNano": "2"}))
    assert one.id == two.id != other.id


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400), (b"[]", JSON, 422), (b"{}", JSON, 200), (b'{"resourceLogs": 7}', JSON, 422),
        (b"\xff\xff", PROTOBUF, 400), (b"", PROTOBUF, 200),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_over_http(
    served: tuple[httpx.Client, Stage], body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = served[0].post("/v1/logs", content=body, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]


NAMES = st.sampled_from(
    ["resourceLogs", "resource", "scopeLogs", "logRecords", "attributes", "key", "value", "stringValue",
     "intValue", "arrayValue", "values", "kvlistValue", "body", "severityNumber", "severityText"]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.just("ERROR"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=30,
)


@given(ANYTHING)
def test_no_shape_makes_it_fail(sent: Any) -> None:
    record = {"severityNumber": 17, "body": sent, "attributes": sent, "timeUnixNano": sent}
    for each in (sent, export({**record, "severityText": sent}), {"resourceLogs": sent}):
        with suppress(IntakeError):
            read(each, min_severity=1)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    for headers in (JSON, PROTOBUF):
        with suppress(IntakeError):
            Parser(Config(min_severity=1)).parse(body, headers)
