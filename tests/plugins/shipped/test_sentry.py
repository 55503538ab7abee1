"""Sentry's own SDKs, and what they were recorded to send, whatever its shape."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import socket
import subprocess
import sys
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstcause_sentry
from firstcause import Event, IntakeError, Severity
from firstcause_sentry.config import Config
from firstcause_sentry.envelope import Item, iter_items
from firstcause_sentry.parser import Parser
from support.firstcause_process import wait_until
from support.http_server import serve_stage
from support.npm_packages import install_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from support.scenario_app import Stage

PUBLIC = Path(os.environ.get("FIRSTCAUSE_TEST_DATA") or "none") / "payloads" / "public"
STORED = sorted((PUBLIC / "sentry").glob("*/*.json"))
CAPTURED = sorted((PUBLIC / "captured").glob("sentry*/*.body"))
recorded = pytest.mark.skipif(not STORED, reason="FIRSTCAUSE_TEST_DATA names no folder with payloads/public")

APPLICATION = """
import logging, sys
import sentry_sdk

sentry_sdk.init(sys.argv[1], release="shop@1.4.2", environment="production")
sentry_sdk.set_tag("service", "checkout")
sentry_sdk.set_tag("tenant", "acme")

def pay(amount):
    return {}["card"]

try:
    try:
        pay(3)
    except KeyError as error:
        raise RuntimeError("payment gateway refused") from error
except RuntimeError:
    sentry_sdk.capture_exception()
sentry_sdk.capture_message("SMS delivery failed: Twilio 21608", "error")
logging.getLogger("db").error("connection to %s failed", "mongo")
sentry_sdk.flush(5)
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    with serve_stage(tmp_path, firstcause_sentry) as both:
        yield both


def store(sent: object, path: str = "", **config: Any) -> Event:
    result = Parser(Config.model_validate(config)).parse_store_event(
        json.dumps(sent).encode(), {":path": path}
    )
    (event,) = result.events
    return event


def test_the_real_python_sdk_is_a_sender_as_it_is(served: tuple[httpx.Client, Stage], tmp_path: Path) -> None:
    client, stage = served
    (tmp_path / "shop.py").write_text(APPLICATION)
    dsn = f"http://public@127.0.0.1:{client.base_url.port}/42"
    subprocess.run([sys.executable, str(tmp_path / "shop.py"), dsn], check=True, timeout=60, cwd=tmp_path)
    found = wait_until(lambda: len(stage.rows("event")) >= 3 and stage.rows("event"), "three errors")
    events = {row["event"]["message"]: row["event"] for row in found}
    assert sorted(events) == [
        "RuntimeError: payment gateway refused",
        "SMS delivery failed: Twilio 21608",
        "connection to mongo failed",
    ]
    error = events["RuntimeError: payment gateway refused"]
    assert (error["service"], error["tenant"]) == ("checkout", "acme")
    assert (error["source"]["file"], error["source"]["function"]) == ("shop.py", "<module>")
    assert error["details"]["release"] == "shop@1.4.2"
    assert error["details"]["caused_by"] == ["KeyError: 'card'"]
    assert 'in pay\n    return {}["card"]\nKeyError' in error["stack"]
    wait_until(stage.incidents, "an incident")


NODE = """
const Sentry = require("@sentry/node");
Sentry.init({ dsn: process.argv[2], release: "web@2.0.0" });
Sentry.setTag("service", "web");
function render() { return undefined.title; }
try { render(); } catch (error) { Sentry.captureException(error); }
Sentry.captureMessage("no template for welcome", "fatal");
Sentry.flush(5000).then(() => process.exit(0));
"""


@pytest.mark.slow
def test_the_real_node_sdk_is_a_sender_as_it_is(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    with install_packages("@sentry/node") as modules:
        (modules.parent / "web.js").write_text(NODE)
        dsn = f"http://public@127.0.0.1:{client.base_url.port}/7"
        subprocess.run(["node", "web.js", dsn], check=True, timeout=60, cwd=modules.parent)
    found = wait_until(lambda: len(stage.rows("event")) >= 2 and stage.rows("event"), "two errors")
    error, message = sorted((row["event"] for row in found), key=lambda event: event["message"])
    assert error["message"].startswith("TypeError: Cannot read properties of undefined")
    assert (error["source"]["function"], error["source"]["line"]) == ("render", 5)
    assert error["details"]["release"] == "web@2.0.0"
    assert (message["message"], message["severity"]) == ("no template for welcome", "CRITICAL")
    assert {error["service"], message["service"]} == {"web"}


@recorded
@pytest.mark.parametrize("file", STORED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_recorded_event_is_taken_or_refused_with_a_reason(file: Path) -> None:
    sent = json.loads(file.read_bytes())
    event = store(sent)
    assert event.message
    exceptions = sent.get("exception") or []
    values = exceptions.get("values") if isinstance(exceptions, dict) else exceptions
    last: dict[str, Any] = next((each for each in reversed(values or []) if each), {})
    if last.get("type"):
        assert event.message.startswith(str(last["type"]).strip())
        assert event.details["exception"] == str(last["type"]).strip()
    said = sent.get("timestamp")
    if isinstance(said, float):
        assert event.time == datetime.fromtimestamp(said, UTC)
    elif said:
        assert abs((event.time - datetime.fromisoformat(said).replace(tzinfo=UTC)).total_seconds()) < 86400


@recorded
def test_every_recorded_envelope_is_read() -> None:
    read = Parser(Config()).parse_envelope
    events = [event for file in CAPTURED for event in read(_unpacked(file.read_bytes()), {}).events]
    assert {event.service for event in events if event.tags.keys() - {"environment"}} == {"checkout"}
    assert len(events) >= 8
    assert {event.details.get("release") for event in events if "release" in event.details} == {"shop@1.4.2"}


def _unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_tags_and_the_project_name_who_it_is() -> None:
    sent = {"message": "x", "tags": [["code", "SMS_SEND_FAILED"], ["team", "blue"], None, ["odd"]]}
    event = store(sent, "/api/42/store/", tenant=["team"], projects={"42": "shop"})
    assert (event.code, event.tenant, event.service) == ("SMS_SEND_FAILED", "blue", "shop")
    assert store({"message": "x", "tags": {"code": "not a code"}}, "/api/7/store/").service is None


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"logentry": {"message": "%s of %d", "params": ["one", 2]}}, "one of 2"),
        ({"logentry": {"message": "%s of %d", "params": ["one"]}}, "%s of %d"),
        ({"logentry": "plain"}, "plain"),
        ({"message": {"formatted": "told"}}, "told"),
        ({"exception": [{"type": "E", "value": None}], "message": "m"}, "E"),
        ({"exception": {"values": [{"type": "A"}, None, {"type": "B", "value": "b"}]}}, "B: b"),
    ],
)
def test_the_words_of_all_its_shapes(sent: dict[str, Any], message: str) -> None:
    assert store(sent).message == message


def test_the_source_is_the_innermost_frame_of_our_own_code() -> None:
    frames = [
        {"filename": "shop.py", "lineno": 3, "function": "pay", "in_app": True, "context_line": "  charge()"},
        {"filename": "lib/http.py", "lineno": 900, "function": "send", "in_app": False},
        None,
    ]
    event = store({"exception": [{"type": "E", "value": "v", "stacktrace": {"frames": frames}}]})
    assert event.source is not None
    assert event.source.model_dump() == {"file": "shop.py", "line": 3, "function": "pay", "query": None}
    assert event.stack == (
        '  File "shop.py", line 3, in pay\n    charge()\n  File "lib/http.py", line 900, in send\nE: v'
    )


def test_a_log_of_an_error_is_one_and_others_are_not() -> None:
    named = {"service": {"value": "mail", "type": "string"}}
    logs = {"items": [
        {"level": "error", "body": "no route", "timestamp": 1.0, "attributes": named},
        {"level": "info", "body": "hello"}, {"level": "fatal", "body": "gone"}, "odd",
    ]}  # fmt: skip
    body = b'{}\n{"type":"log"}\n' + json.dumps(logs).encode() + b'\n{"type":"session"}\n{}\n'
    taken = Parser(Config()).parse_envelope(body, {})
    one, two = taken.events
    assert taken.ignored == {"session other": 1, "log info": 1, "log, unreadable": 1}
    assert (one.message, one.service, one.time.year) == ("no route", "mail", 1970)
    assert (two.message, two.severity) == ("gone", Severity.CRITICAL)


def test_items_with_and_without_a_length() -> None:
    body = b'{}\n{"type":"a","length":3}\nx\ny\n{"type":"b"}\nline\n\n{"type":"c","length":0}\n'
    items = [item for item in iter_items(body) if isinstance(item, Item)]
    assert [(item.type, item.payload) for item in items] == [
        ("a", b"x\ny"),
        ("b", b"line"),
        ("c", b""),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]\n", b'{}\n{"type":"event","length":99}\n{}', b'{}\n{"type":"event"}\n[', b"{}\n7\n"],
)
def test_a_broken_envelope_is_refused_over_http(served: tuple[httpx.Client, Stage], body: bytes) -> None:
    answer = served[0].post("/api/42/envelope/", content=body)
    assert answer.status_code // 100 == 4
    assert answer.json()["error"]


def test_what_is_of_no_interest_is_let_go(served: tuple[httpx.Client, Stage]) -> None:
    answer = served[0].post("/api/42/envelope/", content=b'{}\n{"type":"transaction"}\n{}\n')
    assert (answer.status_code, answer.json()) == (200, {"id": None})


def envelope(*items: tuple[str, object], **header: object) -> bytes:
    lines = [json.dumps(header)]
    for kind, payload in items:
        lines += [json.dumps({"type": kind}), json.dumps(payload)]
    return "\n".join(lines).encode()


EVENT = ("event", {"message": "out of stock", "event_id": "a" * 32})


def test_the_answer_is_the_one_that_sdks_know(served: tuple[httpx.Client, Stage]) -> None:
    answer = served[0].post("/api/42/envelope/", content=envelope(EVENT))
    assert (answer.status_code, answer.json()) == (200, {"id": "a" * 32})
    refused = served[0].post("/api/42/envelope/", content=b"x\ny")
    assert refused.status_code == 400
    assert refused.headers["x-sentry-error"] == refused.json()["detail"]


def test_pages_of_any_site_may_send_where_the_settings_say_so(tmp_path: Path) -> None:
    tables = {"firstcause_sentry": {"origins": ["*"]}}
    with serve_stage(tmp_path, firstcause_sentry, tables=tables) as served:
        _check_pages_of_any_site(served)


def _check_pages_of_any_site(served: tuple[httpx.Client, Stage]) -> None:
    page = {"Origin": "https://shop.example.org"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-sentry-auth",
    }  # fmt: skip
    before = served[0].options("/api/42/envelope/", headers=page | asked)
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == "*"
    assert before.headers["access-control-allow-methods"] == "POST"
    assert "x-sentry-auth" in before.headers["access-control-allow-headers"]
    answer = served[0].post("/api/42/envelope/", content=envelope(EVENT), headers=page)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "X-Sentry-Rate-Limits" in answer.headers["access-control-expose-headers"]
    for path in ("/api/v1/events", "/api/v1/incidents/1/ack"):
        refused = served[0].post(path, json={"code": "A"}, headers=page)
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)
    assert served[0].options("/api/v1/events", headers=page | asked).status_code == 405


def test_no_page_may_send_by_default_and_each_is_said_once(
    served: tuple[httpx.Client, Stage], caplog: pytest.LogCaptureFixture
) -> None:
    page = {"Origin": "https://never-named.example.org", "content-type": "text/plain"}
    for _ in range(2):
        refused = served[0].post("/api/42/envelope/", content=envelope(EVENT), headers=page)
        assert (refused.status_code, "Cross-site" in refused.json()["error"]) == (403, True)
    assert served[0].options("/api/42/envelope/", headers=page).status_code in (403, 405)
    assert caplog.text.count("a page of https://never-named.example.org sent errors") == 1
    # An image needs no origin, and a check-in by GET no more than an image.
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    check_in = "/api/42/cron/nightly/0123456789abcdef0123456789abcdef/?status=error"
    assert served[0].get(check_in, headers=image).status_code == 403
    assert served[0].get(check_in).status_code == 200


def test_only_the_pages_that_are_named_may_send(tmp_path: Path) -> None:
    ours, theirs = {"Origin": "https://shop.example.org"}, {"Origin": "https://evil.example.org"}
    tables = {"firstcause_sentry": {"origins": ["https://shop.example.org"]}}
    with serve_stage(tmp_path, firstcause_sentry, tables=tables) as (client, _stage):
        answer = client.post("/api/1/envelope/", content=envelope(EVENT), headers=ours)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example.org"
        assert (answer.status_code, answer.headers["vary"]) == (200, "Origin")
        for refused in (
            client.post("/api/1/envelope/", content=envelope(EVENT), headers=theirs),
            client.options("/api/1/envelope/", headers=theirs),
        ):
            assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)


KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("encoding", "pack"), [("", bytes), ("gzip", gzip.compress), ("br", brotli.compress)]
)
def test_a_token_is_looked_for_before_the_body_is_there(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """Who has no token is answered by the start of a body of 15 MB: no more is read or unpacked."""
    intake = {"tokens": {"shop": {"token": KEY}}}
    noise = base64.b64encode(random.Random(1).randbytes(300_000))
    head = (
        "POST /api/1/envelope/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15000000\r\n"
        f"Content-Encoding: {encoding or 'identity'}\r\n\r\n"
    )
    with serve_stage(tmp_path, firstcause_sentry, intake=intake) as (client, stage):
        address = ("127.0.0.1", client.base_url.port or 0)
        for header, status in (({"dsn": "https://wrong@errors.example.org/1"}, b"403"), ({}, b"401")):
            start = pack(envelope(EVENT, **header) + noise)[:150_000]
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(head.encode() + start)
                assert connection.recv(100)[9:12] == status
        assert stage.accepted() == []


@pytest.mark.parametrize(
    ("header", "query", "dsn", "status"),
    [
        (f"Sentry sentry_key={KEY}, sentry_version=7", "", "", 200),
        ("", f"?sentry_version=7&sentry_key={KEY}", "", 200),
        ("", "", f"https://{KEY}@errors.example.org/1", 200),
        ("", "", "", 401),
        ("Sentry sentry_key=wrong", "", "", 403),
        ("", "", "https://wrong@errors.example.org/1", 403),
        (f"Sentry sentry_key={KEY}", "?sentry_key=other", "", 403),
    ],
)
def test_where_a_token_is_asked_for_the_public_key_is_it(
    tmp_path: Path, header: str, query: str, dsn: str, status: int
) -> None:
    intake = {"tokens": {"shop": {"token": KEY, "service": "checkout", "tenant": "acme"}}}
    with serve_stage(tmp_path, firstcause_sentry, intake=intake) as (client, stage):
        body = envelope(EVENT, **({"dsn": dsn} if dsn else {}))
        headers = {"X-Sentry-Auth": header} if header else {}
        answer = client.post(f"/api/1/envelope/{query}", content=body, headers=headers)
        assert answer.status_code == status
        if status == 200:
            (row,) = stage.accepted()
            assert (row["event"]["service"], row["event"]["tenant"]) == ("checkout", "acme")
        else:
            assert answer.headers["x-sentry-error"]
            assert not stage.accepted()


SENDING = """
import sys, sentry_sdk
from sentry_sdk.transport import HttpTransport

answers = []

class Watched(HttpTransport):
    def _update_rate_limits(self, response):
        answers.append(response.status)
        super()._update_rate_limits(response)

sentry_sdk.init(sys.argv[1], transport=Watched, release="shop@1.4.3")
for number in range(12):
    sentry_sdk.capture_message(f"order {number} lost", "error")
    sentry_sdk.flush(5)
print(answers, len(sentry_sdk.get_client().transport._disabled_until))
"""


def test_a_real_sdk_that_sends_too_much_is_quiet_by_itself(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SENDING)
    intake = {"rate": 0.05, "burst": 4, "tokens": {"shop": {"token": KEY}}}
    with serve_stage(tmp_path, firstcause_sentry, intake=intake) as (client, stage):
        dsn = f"http://{KEY}@127.0.0.1:{client.base_url.port}/1"
        done = subprocess.run(
            [sys.executable, str(tmp_path / "app.py"), dsn],
            check=True, timeout=60, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout.strip() == "[200, 200, 200, 200, 429] 1"
        assert len(stage.accepted()) == 4
        limited = client.post("/api/1/envelope/", content=envelope(EVENT, dsn=dsn))
        assert limited.status_code == 429
        seconds, categories, *_ = limited.headers["x-sentry-rate-limits"].split(":")
        assert (int(seconds), categories) == (int(limited.headers["retry-after"]), "")
        assert 0 < int(seconds) <= 20
        counted = client.get("/api/v1/status", headers={"Authorization": "Bearer none"})
        assert counted.json()["intake"]["rejected"] == {"sentry": {"too many": 2}}


def test_everything_else_is_counted_and_nothing_refused(served: tuple[httpx.Client, Stage]) -> None:
    report = {"discarded_events": [
        {"reason": "ratelimit_backoff", "category": "error", "quantity": 5},
        {"reason": "sample_rate", "category": "transaction", "quantity": 2}, {"reason": 7}, None,
    ]}  # fmt: skip
    sessions = {"aggregates": [{"started": "x", "exited": 40, "crashed": 2}, {"errored": 3}]}
    body = envelope(
        EVENT, ("client_report", report), ("sessions", sessions), ("session", {"status": "crashed"}),
        ("transaction", {}), ("feedback", {}), ("user_report", {}), ("new_in_2030", [1]), ("attachment", "x"),
    )  # fmt: skip
    assert served[0].post("/api/1/envelope/", content=body).status_code == 200
    intake = served[0].get("/api/v1/status").json()["intake"]
    assert intake["accepted"] == {"sentry": 1}
    assert intake["lost_by_senders"]["sentry"] == {
        "error: ratelimit_backoff": 5, "transaction: sample_rate": 2, "None: 7": 0,
    }  # fmt: skip
    assert intake["passed"]["sentry"] == {
        "attachment": 1, "client_report": 1, "feedback": 1, "other": 1, "session crashed": 3,
        "session errored": 3, "session exited": 40, "transaction": 1, "user_report": 1,
    }  # fmt: skip


def test_a_job_that_failed_is_an_error_until_it_goes_well(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served

    def check_in(status: str, number: int) -> None:
        sent = {"check_in_id": f"{number}", "monitor_slug": "nightly-invoices", "status": status}
        assert client.post("/api/1/envelope/", content=envelope(("check_in", sent))).status_code == 200

    check_in("in_progress", 1)
    check_in("ok", 1)
    check_in("error", 2)
    incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
    assert incident["root"]["code"] == "CRON_NIGHTLY_INVOICES_FAILED"
    check_in("ok", 3)
    wait_until(lambda: stage.incidents("resolved"), "its end")
    check_in("ok", 4)
    assert len(stage.incidents("open")) == 0
    assert stage.incident()["events"] == 1


def test_what_can_be_read_is_taken_though_another_item_cannot() -> None:
    taken = Parser(Config()).parse_envelope(envelope(("event", {}), EVENT), {})
    assert [event.message for event in taken.events] == ["out of stock"]
    (rejected,) = taken.rejected
    assert (rejected.index, rejected.status) == (0, 422)
    assert "neither an exception nor a message" in rejected.error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["values", "frames", "stacktrace", "type", "value", "message", "params", "lineno"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
FIELDS = ("exception", "logentry", "message", "tags", "timestamp", "level", "event_id", "user", "release")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_no_shape_makes_it_fail(sent: dict[str, Any]) -> None:
    with suppress(IntakeError):
        store(sent)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda rest: b'{}\n{"type":"event"}\n' + rest))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    with suppress(IntakeError):
        Parser(Config()).parse_envelope(body, {})


def test_a_logging_error_that_comes_as_event_and_as_log_is_one_occurrence() -> None:
    parser = Parser(Config())
    event = {
        "event_id": "a" * 32, "level": "error", "logentry": {"formatted": "payment 12 failed"},
        "contexts": {"trace": {"trace_id": "b" * 32}}, "tags": {"tenant": "acme"},
    }  # fmt: skip
    logs = {"items": [
        {"body": "payment 12 failed", "level": "error", "trace_id": "b" * 32},
        {"body": "payment 12 failed", "level": "error", "trace_id": "b" * 32},
        {"body": "another", "level": "error", "trace_id": "b" * 32},
    ]}  # fmt: skip
    body = b"{}"
    for kind, payload in (("event", event), ("log", logs)):
        text = json.dumps(payload).encode()
        body += b"\n" + json.dumps({"type": kind, "length": len(text)}).encode() + b"\n" + text
    result = parser.parse_envelope(body, {})
    assert [each.message for each in result.events] == ["payment 12 failed", "payment 12 failed", "another"]
    assert result.ignored["log of an event"] == 1, "an event speaks for one log only"


def test_a_body_of_raven_node_is_unpacked() -> None:
    packed = base64.b64encode(zlib.compress(json.dumps({"message": "from raven"}).encode()))
    (event,) = Parser(Config()).parse_store_event(packed, {}).events
    assert event.message == "from raven"
