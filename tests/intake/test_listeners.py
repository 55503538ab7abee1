"""Listeners of plugins: contained when they fail, begun anew, and counted like any other way in."""

from __future__ import annotations

import threading
import types
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import Event, IntakeError, Listener, Submit, hookimpl
from firstcause.intake import listeners as listening
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path


def plugin(name: str, *listeners: Any) -> types.ModuleType:
    @hookimpl
    def firstcause_listeners() -> list[Listener]:
        return list(listeners)

    module = types.ModuleType(name)
    vars(module)["firstcause_listeners"] = firstcause_listeners
    return module


def event(number: int, **fields: Any) -> Event:
    return Event(id=f"line {number}", time=datetime.now(UTC), code="LINE_DOWN", **fields)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_INITIAL_BACKOFF_S", 0.01)


def test_what_it_submits_is_on_disk_when_submit_returns(tmp_path: Path) -> None:
    stored: list[int] = []
    begun, ended = threading.Event(), threading.Event()

    def run(submit: Submit, stop: threading.Event) -> None:
        begun.wait(20)
        submit([event(1), event(2, details={f"{n}": "y" * 250_000 for n in range(5)})])
        stored.append(len(stage.accepted()))
        stop.wait(30)
        ended.set()

    with serve_stage(tmp_path, plugin("ours", Listener("line", run))) as (client, stage):
        begun.set()
        wait_until(lambda: stored, "the event")
        assert stored == [1]
        intake = client.get("/api/v1/status").json()["intake"]
        assert intake["accepted"] == {"line": 1}
        assert intake["rejected"] == {"line": {"too large": 1}}
    assert ended.wait(5)


def test_one_that_raises_or_returns_begins_anew_and_stops_nothing_else(tmp_path: Path) -> None:
    runs: list[str] = []

    def fall(_submit: Submit, _stop: threading.Event) -> None:
        runs.append("fall")
        if len(runs) % 2:
            raise SystemExit("the port is taken")

    def work(submit: Submit, stop: threading.Event) -> None:
        while not stop.wait(0.05):
            submit([event(len(runs))])

    bad, good = plugin("bad", Listener("bad", fall), 7), plugin("good", Listener("good", work))
    with serve_stage(tmp_path, bad, good) as (client, stage):
        wait_until(lambda: len(runs) >= 3, "three runs")
        wait_until(lambda: stage.incidents("open"), "an incident")
        assert client.get("/readyz").status_code == 200
        states = {each.name: each.problems for each in stage.app.plugins.states()}
    assert states["bad"] == (
        "firstcause_listeners returned a int among its Listeners",
        "bad stopped: SystemExit: the port is taken",
    )  # fmt: skip
    assert states["good"] == ()


def test_it_hears_that_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float | None] = []

    def run(submit: Submit, stop: threading.Event) -> None:
        try:
            submit([event(1)])
        except IntakeError as error:
            heard.append(error.retry_after)
        stop.wait(30)

    def full(*_: object) -> None:
        raise IntakeError("no room", 503, retry_after=4)

    monkeypatch.setattr("firstcause.intake.writer.GroupCommitWriter.submit", full)
    with serve_stage(tmp_path, plugin("ours", Listener("line", run))) as (client, _stage):
        wait_until(lambda: heard, "the refusal")
        assert heard == [4]
        assert client.get("/api/v1/status").json()["intake"]["rejected"] == {"line": {"no room": 1}}
