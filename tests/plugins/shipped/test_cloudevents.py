"""CloudEvents as their own SDK writes them, in all three modes, through the real application."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

import firstcause_cloudevents
from firstcause import IntakeError, Severity
from firstcause_cloudevents.config import Config
from firstcause_cloudevents.parser import Parser
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from support.scenario_app import Stage

PATH = "/api/v1/webhooks/cloudevents"
TIME = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ATTRIBUTES: dict[str, Any] = {
    "id": "7", "source": "/shop/payments", "type": "com.example.payment.failed", "time": TIME,
    "subject": "order é 12", "service": "checkout", "tenant": "acme",
    "severity": "critical", "specversion": "1.0", "datacontenttype": "application/json",
}  # fmt: skip
DATA = {"message": "the card was declined", "order": 12}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, Stage]]:
    with serve_stage(tmp_path, firstcause_cloudevents) as both:
        yield both


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_the_sdk_is_a_sender(served: tuple[httpx.Client, Stage], write: Any) -> None:
    client, stage = served
    sent = write(CloudEvent(attributes=dict(ATTRIBUTES), data=DATA))
    for _ in range(2):
        answer = client.post(PATH, content=sent.body, headers=sent.headers)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    (row,) = stage.accepted()
    event = row["event"]
    assert (event["code"], event["message"]) == ("COM_EXAMPLE_PAYMENT_FAILED", DATA["message"])
    assert (event["service"], event["tenant"], event["severity"]) == ("checkout", "acme", "CRITICAL")
    assert datetime.fromisoformat(event["time"]) == TIME
    assert event["details"] == {"data": DATA}
    assert event["tags"]["subject"] == "order é 12"


def attributes(**changes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/a", "type": "x.failed"} | changes


def test_a_batch(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    batch = [attributes(id=f"{number}", data={"message": f"no {number}"}) for number in range(3)]
    headers = {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
    assert client.post(PATH, content=json.dumps(batch), headers=headers).json()["accepted"] == 3
    assert {row["event"]["message"] for row in stage.accepted()} == {"no 0", "no 1", "no 2"}
    assert client.post(PATH, content=b"[]", headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("sent", "message", "over"),
    [
        (attributes(data="plain words"), "plain words", False),
        (attributes(data_base64="cGxhaW4="), "plain", False),
        (attributes(data='{"error": {"message": "deep"}}'), "deep", False),
        (attributes(subject="pod/7"), "pod/7", False),
        (attributes(), "x.failed", False),
        (attributes(data={"resolved": True}), "x.failed", True),
        (attributes(resolved="resolved"), "x.failed", True),
    ],
)
def test_the_words_wherever_they_stand(sent: dict[str, Any], message: str, over: bool) -> None:
    (event,) = (
        Parser(Config())
        .parse(json.dumps(sent).encode(), {"content-type": "application/cloudevents+json"})
        .events
    )
    assert (event.message, event.resolved, event.service) == (message, over, "/a")


def test_a_sender_that_says_whether_it_is_over_is_waited_for() -> None:
    sent = [attributes(), attributes(resolved="no"), attributes(data={"resolved": False})]
    headers = {"content-type": "application/cloudevents-batch+json"}
    events = Parser(Config()).parse(json.dumps(sent).encode(), headers).events
    assert [event.reports_end for event in events] == [False, True, True]


def test_binary_data_that_is_no_json_is_the_words() -> None:
    headers = {f"ce-{name}": value for name, value in attributes(severity="warning").items()}
    (event,) = Parser(Config()).parse(b"disk full", headers | {"content-type": "text/plain"}).events
    assert (event.message, event.severity) == ("disk full", Severity.WARNING)


@pytest.mark.parametrize(
    ("body", "message", "data"),
    [
        (b"hello world", "hello world", "hello world"),
        (b'{"message": "disk full"}', "disk full", {"message": "disk full"}),
        (b"", "x.failed", None),
    ],
)
def test_binary_data_without_a_content_type(
    served: tuple[httpx.Client, Stage], body: bytes, message: str, data: object
) -> None:
    client, stage = served
    request = client.build_request("POST", PATH, content=body)
    request.headers.pop("content-type", None)
    request.headers.update({f"ce-{name}": value for name, value in attributes(severity="P1").items()})
    assert client.send(request).status_code == 202
    (row,) = stage.accepted()
    assert (row["event"]["message"], row["event"]["severity"]) == (message, "CRITICAL")
    assert row["event"].get("details", {}).get("data") == data


def test_an_item_that_is_no_event_does_not_refuse_its_batch(served: tuple[httpx.Client, Stage]) -> None:
    client, stage = served
    batch = [attributes(data={"message": "one"}), 7, attributes(id=""), attributes(id="2")]
    answer = client.post(PATH, json=batch, headers={"content-type": "application/cloudevents-batch+json"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert answer.json()["rejected"] == [
        {"index": 1, "error": "event 1: it is not a JSON object"},
        {"index": 2, "error": "event 2: the attribute id is missing, which CloudEvents need"},
    ]
    assert len(stage.accepted()) == 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"{", {}, 400, "the body is not JSON"),
        (b"7", {}, 422, "event 0: it is not a JSON object"),
        (b"{}", {"content-type": "application/cloudevents-batch+json"}, 422, "a batch is a JSON list"),
        (
            json.dumps([attributes(type=None), attributes(id="")]).encode(),
            {},
            422,
            "event 0: the attribute type is missing",
        ),
        (b"{", {"ce-specversion": "1.0", "content-type": "application/json"}, 400, "the data is not JSON"),
        (b"", {"ce-specversion": "1.0"}, 422, "event 0: the attribute id is missing"),
    ],
)
def test_what_is_none_is_refused_and_told_why(
    served: tuple[httpx.Client, Stage], body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    answer = served[0].post(PATH, content=body, headers=headers)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True)


@given(
    st.dictionaries(
        st.sampled_from(["id", "source", "type", "specversion", "data", "time", "message", "resolved"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_no_shape_makes_it_fail(sent: dict[str, Any]) -> None:
    with suppress(IntakeError):
        Parser(Config()).parse(json.dumps([attributes() | sent, sent]).encode(), {})
