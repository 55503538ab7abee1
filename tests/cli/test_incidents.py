"""What `incident` prints of how an incident went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.firstcause_process import run_cli
from support.scenario_app import Stage

if TYPE_CHECKING:
    from pathlib import Path


def test_an_incident_that_flaps_says_so_in_its_rhythm(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "{url}"\n')
    stage = Stage(url, tmp_path)
    rhythm = "3 times in 3 min 20 s, about every 100 s, on for 50 s"
    for at in (0, 100, 200):
        stage.report(at, "A")
        stage.take(at + 50, stage.event(at + 50, "A", resolved=True))
    shown = run_cli("incident", "1", folder=tmp_path).stdout
    assert f", flapping: {rhythm}\n" in shown
    stage.app.incidents.resolve("1", stage.time(300), fix=None, actor="ann")
    stage.app.close()
    assert f", flapped {rhythm}\n" in run_cli("incident", "1", folder=tmp_path).stdout
