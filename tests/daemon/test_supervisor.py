"""Limits of what is on disk: a store above its own, and more waiting for triage than may."""

from __future__ import annotations

import logging
import sqlite3
import types
from contextlib import closing
from typing import TYPE_CHECKING

import httpx

from firstcause.daemon import supervisor
from firstcause.daemon.supervisor import Daemon
from firstcause.intake import writer
from firstcause.intake.event_intake import EventIntake
from support.firstcause_process import run_daemon, wait_until
from support.scenario_app import Stage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SAID = "and nothing more can be pruned"


def test_the_daemon_says_that_its_store_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[store]\nmax_bytes = "1 KiB"\n')
    with run_daemon(tmp_path) as running:
        wait_until(lambda: SAID in running.log(), "the warning")
        assert running.stop() == 0


def test_it_is_said_once_an_hour_and_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    now = [0.0]
    monkeypatch.setattr(supervisor, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    running = Daemon(stage.app)

    def said(at: float, over: int) -> list[str]:
        now[0] = at
        caplog.clear()
        with caplog.at_level(logging.INFO, "firstcause"):
            running._warn_over_limit(over)
        return [each.getMessage() for each in caplog.records]

    assert said(0, 0) == []
    (first,) = said(60, 3 * 1024)
    assert first.startswith("The store is 3 KiB over [store] max_bytes (10 GiB) ")
    assert said(120, 4 * 1024) == []
    assert said(3659, 4 * 1024) == []
    assert said(3660, 5 * 1024)[0].startswith("The store is 5 KiB over ")
    assert said(3720, 5 * 1024) == []
    assert said(3780, 0) == ["the store is within [store] max_bytes again"]
    assert said(3840, 0) == []
    assert len(said(3900, 1)) == 1
    stage.app.close()


def test_it_ends_also_where_the_last_of_it_was_triaged_a_moment_after_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, intake={"max_waiting_bytes": 1})
    now = [0.0]
    monkeypatch.setattr(writer, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    stage.app.intake.accept([stage.event(0, "A")], stage.time(0))
    running = Daemon(stage.app)
    monkeypatch.setattr(EventIntake, "stored_count", 0)
    running._store_claim.take(running._stopping)
    limit = stage.app.intake.backlog_limit
    limit.refresh()
    assert limit.full
    running._process_events()
    assert limit.full, "it was looked at a moment ago"
    now[0] = 1.0
    running._pipeline_wake.set()
    running._process_events()
    assert not limit.full
    stage.app.close()


def test_while_too_much_waits_for_triage_senders_are_told_to_come_again(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/store.db"\n[intake]\nmax_waiting_bytes = "100 KiB"\n'
    )
    accepted = 0

    def post() -> httpx.Response:
        nonlocal accepted
        answer = client.post("/api/v1/events", json={"code": "A", "message": "x" * 5000})
        accepted += answer.json().get("accepted", 0)
        return answer

    with run_daemon(tmp_path) as running, httpx.Client(base_url=running.url) as client:
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as hog:
            # Nobody else writes to the store, so nothing is triaged.
            hog.execute("BEGIN IMMEDIATE")
            refused = wait_until(
                lambda: answer if (answer := post()).status_code != 202 else None, "a refusal"
            )
            hog.execute("ROLLBACK")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "10"
        assert "max_waiting_bytes" in refused.json()["error"]
        wait_until(lambda: post().status_code == 202, "room")
        (incident,) = wait_until(lambda: client.get("/api/v1/incidents").json()["incidents"], "the incident")
        number = incident["id"]
        wait_until(
            lambda: client.get(f"/api/v1/incidents/{number}").json()["events"] == accepted, "all of them"
        )
        assert "Refusing events with 503 until it drains" in running.log()
        assert "Inbox is below its limit; accepting events again." in running.log()
        assert client.get("/api/v1/status").json()["intake"]["rejected"]
