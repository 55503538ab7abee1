"""The systemd unit is valid and leaves the service little to harm."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging/systemd/firstcause.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def analyze(*args: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *args], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_it_is_exposed_to_little() -> None:
    report = analyze("security", "--offline=yes", "--threshold=20", str(UNIT))
    level = re.search(r"exposure level for \S+: ([\d.]+)", report)
    assert level is not None, report
    assert float(level[1]) < 2.0


@needs_systemd
def test_it_is_valid(tmp_path: Path) -> None:
    # The interpreter of an installed package is not here; this one stands for it.
    text = UNIT.read_text().replace("/opt/firstcause/bin/python", sys.executable)
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    assert UNIT.name not in analyze("verify", "--recursive-errors=no", str(unit))


def test_the_state_folder_is_systemds() -> None:
    text = UNIT.read_text()
    for line in (
        "DynamicUser=yes",
        "StateDirectory=firstcause",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
    ):
        assert f"\n{line}\n" in text
