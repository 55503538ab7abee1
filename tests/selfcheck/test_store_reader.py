"""Questions whether firstcause is ready try to write, seldom and not for long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from firstcause.errors import StoreUnavailableError
from firstcause.selfcheck import store_reader
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from support.scenario_app import Stage


@pytest.fixture
def writes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written to see whether that works. The daemon's loops seem to run, so nothing else asks."""
    tried: list[str] = []
    check = stage.app.database.check_writable

    def try_to_write() -> None:
        tried.append("write")
        check()

    monkeypatch.setattr(stage.app.database, "check_writable", try_to_write)
    monkeypatch.setattr(stage.app.self_check, "refresh", lambda _now: None)
    return tried


def test_a_store_that_cannot_be_written_any_more_is_noticed_by_the_question(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.app.self_check, "refresh", lambda _now: None)
    monkeypatch.setattr(store_reader, "MIN_WRITE_CHECK_INTERVAL_S", 0.0)
    check_readiness = stage.app.monitoring.check_readiness
    assert check_readiness(stage.time(0))["checks"]["store"] == "ok"
    away = True

    def fail() -> None:
        if away:
            raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stage.app.database, "_write_check_entry", fail)
        answer = check_readiness(stage.time(1))
        assert answer["status"] == "unready"
        assert answer["checks"]["store"].startswith("The store cannot be written")
        away = False
        assert check_readiness(stage.time(2))["checks"]["store"] == "ok"


def test_many_questions_write_once_a_second(stage: Stage, writes: list[str]) -> None:
    for _ in range(20):
        stage.app.monitoring.check_readiness(stage.time(0))
    # A busy machine may need more than a second for twenty questions.
    assert 1 <= len(writes) < 20


def test_a_question_does_not_wait_for_a_store_that_is_busy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.app.self_check, "refresh", lambda _now: None)
    monkeypatch.setattr(store_reader, "MIN_WRITE_CHECK_INTERVAL_S", 0.0)
    written, may_write = [], threading.Event()

    def write() -> None:
        assert may_write.wait(60)
        written.append("write")

    monkeypatch.setattr(stage.app.database, "check_writable", write)
    for _ in range(3):
        assert stage.app.monitoring.check_readiness(stage.time(0))["checks"]["store"] == "ok"
    assert written == [], "the first one waits, and the others do not write"
    may_write.set()
    wait_until(lambda: written == ["write"], "the end of the write")
    wait_until(
        lambda: stage.app.monitoring.check_readiness(stage.time(0)) and len(written) > 1, "another write"
    )
