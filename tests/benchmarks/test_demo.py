"""How long the demo takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.benchmark_figures import at_most
from support.firstcause_process import run_cli_json

if TYPE_CHECKING:
    from pathlib import Path

    from support.benchmark_figures import Recorder


def test_demo_duration(tmp_path: Path, record: Recorder) -> None:
    record(
        "the demo",
        run_cli_json("demo", "--once", folder=tmp_path, is_forked=False)["seconds"],
        "s",
        bar=at_most(20),
    )
