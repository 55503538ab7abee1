"""docs/your-system.md: each of its commands runs, and the hour is one incident with the right root."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOC = Path(__file__).parents[2] / "docs" / "your-system.md"


@pytest.mark.timeout(600)
def test_every_step_of_your_system_in_30_minutes_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", DOC.read_text(), re.DOTALL)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    outputs = [
        subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout
        for block in blocks
    ]
    incidents = [json.loads(line) for line in outputs[0].splitlines() if line.startswith("{")]
    assert [(one["root"]["code"], one["root"]["service"]) for one in incidents] == [
        ("POSTGRES_DISK_FULL", "postgres")
    ]
    calls = {tuple(line.split("  ")[0].split(" -> ")) for line in outputs[1].splitlines()}
    assert {("stock", "pg-main"), ("cart", "stock"), ("web", "cart")} <= calls
    again = [json.loads(line) for line in outputs[-1].splitlines() if line.startswith("{")]
    assert len(again) == 1
