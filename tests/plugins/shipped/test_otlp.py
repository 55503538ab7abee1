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
    return Parser(Config.model_validate(config)).parse(json.dumps(sent).encode(), JSON)


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
    events = []
    for file in CAPTURED:
        headers = json.loads(file.with_suffix(".meta.json").read_text())["headers"]
        lower = {name.lower(): value for name, value in headers.items()}
        body = decompress(file.read_bytes(), lower.get("content-encoding", ""), 1 << 20)
        events += Parser(Config(min_severity=1)).parse(body, lower)
    assert events
    assert all(event.service and event.message and event.time.year == 2026 for event in events)


@recorded
def test_the_specifications_own_example_is_read_and_is_no_error() -> None:
    body = (PUBLIC / "otlp" / "logs.json").read_bytes()
    assert Parser(Config()).parse(body, JSON) == []
    (event,) = Parser(Config(min_severity=1)).parse(body, JSON)
    assert (event.message, event.service, event.severity) == (
        "Example log record",
        "my.service",
        Severity.INFO,
    )
    assert event.time.year == 2018
    assert event.details["array.attribute"] == ["many", "values"]
    assert event.details["map.attribute"] == {"some.map.key": "some value"}
    assert event.tags["trace"] == "5B8EFFF798038103D269B633813FC60C"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"severityNumber": 17}, None),
        ({"severityNumber": 21}, Severity.CRITICAL),
        ({"severityNumber": "SEVERITY_NUMBER_ERROR2"}, None),
        ({"severityNumber": "SEVERITY_NUMBER_FATAL"}, Severity.CRITICAL),
        ({"severityText": "critical"}, Severity.CRITICAL),
        ({"severityText": "Error"}, None),
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
