"""A store above its limit: said when that begins, then seldom, and when it is over."""

from __future__ import annotations

import logging
import types
from typing import TYPE_CHECKING

from firstcause import daemon as module
from firstcause.daemon import Daemon
from running import daemon, until
from staging import Stage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SAID = "what may not go takes "


def test_the_daemon_says_that_its_store_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[store]\nmax_bytes = "1 KiB"\n')
    with daemon(tmp_path) as running:
        until(lambda: SAID in running.log(), "the warning")
        assert running.stop() == 0


def test_it_is_said_once_an_hour_and_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    now = [0.0]
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    running = Daemon(stage.service)

    def said(at: float, over: int) -> list[str]:
        now[0] = at
        caplog.clear()
        with caplog.at_level(logging.INFO, "firstcause"):
            running._say_over(over)
        return [each.getMessage() for each in caplog.records]

    assert said(0, 0) == []
    (first,) = said(60, 3 * 1024)
    assert first.startswith(f"{SAID}3 KiB more than [store] max_bytes, 10 GiB: ")
    assert said(120, 4 * 1024) == []
    assert said(3659, 4 * 1024) == []
    assert said(3660, 5 * 1024)[0].startswith(f"{SAID}5 KiB")
    assert said(3720, 5 * 1024) == []
    assert said(3780, 0) == ["the store is within [store] max_bytes again"]
    assert said(3840, 0) == []
    assert len(said(3900, 1)) == 1
    stage.service.close()
