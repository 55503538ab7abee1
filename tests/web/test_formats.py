"""Formats of plugins over HTTP: whatever a stranger's code does, the sender has an answer that says so."""

from __future__ import annotations

import types
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import Event, IntakeError, IntakeFormat, hookimpl
from running import until
from serving import serving

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
    with serving(tmp_path, plugin(*forms, IntakeFormat("ours", lines, also=("/lines",)))) as (client, stage):

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
    found = until(lambda: len(stage.incidents()) == 2 and stage.incidents(), "two incidents")
    assert {each["root"]["code"] for each in found} == {"ONE", "TWO"}
    assert {each["root"]["service"] for each in found} == {"shop"}


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("refuse", 415, "no, thank you"),
        ("fail", 422, "the plugin ours cannot read this; the log says why"),
        ("leave", 422, "the plugin ours cannot read this; the log says why"),
        ("nonsense", 422, "the plugin ours cannot read this; the log says why"),
        ("nobody", 404, "Not Found"),
    ],
)
def test_what_it_cannot_read_is_answered(
    post: Callable[..., httpx.Response], name: str, status: int, said: str
) -> None:
    answer = post(f"/api/v1/webhooks/{name}", b"x")
    assert (answer.status_code, answer.json()) == (status, {"error": said})
