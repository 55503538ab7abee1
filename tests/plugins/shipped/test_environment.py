from __future__ import annotations

from typing import TYPE_CHECKING

import firstcause_environment
from firstcause import Reading, Status

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def look(**app: object) -> Reading:
    table = {"apps": {"shop": {"component": "shop", "required": ["A_KEY", "B_KEY"]} | app}}
    (probe,) = firstcause_environment.firstcause_probes(firstcause_environment.Config.model_validate(table))
    assert (probe.name, probe.component) == ("shop", "shop")
    return probe.check()


def test_what_a_file_must_set(tmp_path: Path) -> None:
    env_file = tmp_path / "app.env"
    gone = look(env_file=str(env_file), code="SHOP_SETTINGS")
    assert (gone.status, gone.code, gone.detail) == (Status.DOWN, "SHOP_SETTINGS", "app.env is not there")
    env_file.write_text("A_KEY=open-sesame\nB_KEY=\n")
    partly = look(env_file=str(env_file))
    assert (partly.status, partly.detail) == (Status.DOWN, "B_KEY not set in app.env")
    assert partly.data == {"missing": 1}
    env_file.write_text("A_KEY=open-sesame\nB_KEY=2\n")
    well = look(env_file=str(env_file))
    assert (well.status, well.detail) == (Status.UP, "2 of 2 set")
    assert "open-sesame" not in partly.model_dump_json() + well.model_dump_json()


def test_what_our_own_environment_must_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "1")
    assert look().detail == "B_KEY not set in the environment"
    monkeypatch.setenv("B_KEY", "1")
    assert look().status is Status.UP
