"""Formats of plugins over HTTP: whatever a stranger's code does, the sender has an answer that says so."""

from __future__ import annotations

import types
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import Event, IntakeError, IntakeFormat, IntakeOutcome, IntakeResponse, hookimpl
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import httpx

PATH = "/api/v1/webhooks/ours"


def refuse(_body: bytes, _headers: Mapping[str, str]) -> list[Event]:
    raise IntakeError("no, thank you", 415)


def fail(_body: bytes, _headers: Mapping[str, str]) -> list[Event]:
    raise ZeroDivisionError("secret of the plugin")


def leave(_body: bytes, _headers: Mapping[str, str]) -> list[Event]:
    raise SystemExit(3)


def nonsense(_body: bytes, _headers: Mapping[str, str]) -> Any:
    return [{"code": "A"}]


def lines(body: bytes, headers: Mapping[str, str]) -> list[Event]:
    now = datetime.now(UTC)
    return [
        Event(id=f"{number}", time=now, code=line, service=headers.get("x-service"))
        for number, line in enumerate(body.decode().split())
    ]


def plugin(*forms: IntakeFormat) -> types.ModuleType:
    @hookimpl
    def firstcause_intake() -> list[IntakeFormat]:
        return list(forms)

    module = types.ModuleType("ours")
    vars(module)["firstcause_intake"] = firstcause_intake
    return module


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Callable[..., httpx.Response]]:
    forms = [IntakeFormat(each.__name__, each) for each in (refuse, fail, leave, nonsense)]
    with serve_stage(tmp_path, plugin(*forms, IntakeFormat("ours", lines, extra_paths=("/lines",)))) as (
        client,
        stage,
    ):

        def send(path: str, body: bytes) -> httpx.Response:
            return client.post(path, content=body, headers={"X-Service": "shop"})

        vars(send)["stage"] = stage
        yield send


@pytest.mark.parametrize("path", [PATH, "/lines"])
def test_events_of_a_plugin_are_taken_at_each_of_its_paths(
    post: Callable[..., httpx.Response], path: str
) -> None:
    answer = post(path, b"ONE TWO")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": []})
    stage = vars(post)["stage"]
    wait_until(lambda: len(list_alerts(stage)) == 2, "two alerts")
    assert list_alerts(stage) == {("ONE", "shop"), ("TWO", "shop")}


def list_alerts(stage: Any) -> set[tuple[str, str]]:
    return {
        (alert["code"], alert["service"]) for incident in stage.incidents() for alert in incident["alerts"]
    }


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("refuse", 415, "no, thank you"),
        ("fail", 422, "plugin ours cannot read the body; the log of firstcause says why"),
        ("leave", 422, "plugin ours cannot read the body; the log of firstcause says why"),
        ("nonsense", 422, "plugin ours cannot read the body; the log of firstcause says why"),
        ("nobody", 404, "Not Found"),
    ],
)
def test_what_it_cannot_read_is_answered(
    post: Callable[..., httpx.Response], name: str, status: int, said: str
) -> None:
    answer = post(f"/api/v1/webhooks/{name}", b"x")
    assert (answer.status_code, answer.json()) == (status, {"error": said})


def own(outcome: IntakeOutcome, headers: Mapping[str, str]) -> IntakeResponse:
    told = {"took": outcome.accepted, "ids": list(outcome.ids), "why": outcome.error}
    return IntakeResponse(outcome.status + 1, told, {"X-Service": headers["x-service"]})


def fall(*_: object) -> Any:
    raise ZeroDivisionError("secret of the plugin")


def other(*_: object) -> Any:
    return 7


def test_a_format_answers_in_its_own_words_and_ours_stand_in_where_it_fails(tmp_path: Path) -> None:
    forms = [IntakeFormat(each.__name__, lines, answer=each) for each in (own, fall, other)]
    with serve_stage(tmp_path, plugin(*forms)) as (client, stage):
        for name in ("own", "fall", "other"):
            headers = {"X-Service": "shop"}
            answer = client.post(f"/api/v1/webhooks/{name}", content=f"CODE_{name}".encode(), headers=headers)
            if name == "own":
                assert (answer.status_code, answer.headers["x-service"]) == (203, "shop")
                assert answer.json() == {"took": 1, "ids": ["0"], "why": None}
                refused = client.post("/api/v1/webhooks/own", content=b"\xff", headers=headers)
                assert refused.status_code == 423
                assert refused.json()["why"].startswith("plugin ours cannot read the body")
            else:
                assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
        (state,) = (each for each in stage.app.plugins.states() if each.name == "ours")
    assert [each for each in state.problems if "answer" in each] == [
        "the answer of fall failed: ZeroDivisionError: secret of the plugin",
        "the answer of other failed: TypeError: it gave a int, not a IntakeResponse",
    ]


@pytest.mark.parametrize(
    ("token", "status"), [(fall, 401), (other, 401), (lambda body, _: body.decode() or None, 202)]
)
def test_a_format_that_looks_for_a_token_and_fails_lets_nobody_in(
    tmp_path: Path, token: Any, status: int
) -> None:
    intake = {"tokens": {"shop": {"token": "TOKEN_OF_SHOP"}}}
    with serve_stage(tmp_path, plugin(IntakeFormat("ours", lines, token=token)), intake=intake) as (
        client,
        stage,
    ):
        answer = client.post(PATH, content=b"TOKEN_OF_SHOP")
        assert answer.status_code == status
        assert len(stage.accepted()) == (1 if status == 202 else 0)


def test_of_two_formats_at_one_path_the_first_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forms = [
        IntakeFormat("one", lines, extra_paths=("/same",)),
        IntakeFormat("two", refuse, extra_paths=("/same",)),
    ]
    with serve_stage(tmp_path, plugin(*forms)) as (client, _stage):
        assert client.post("/same", content=b"A").status_code == 202
        assert client.post("/api/v1/webhooks/two", content=b"A").status_code == 415
    assert "path /same is used by two intake formats; two is not served there" in caplog.text
