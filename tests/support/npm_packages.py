"""Packages of npm that tests drive as programs, installed in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTALL_TIMEOUT_S = 100.0


@contextmanager
def install_packages(*packages: str) -> Iterator[Path]:
    """The folder `node_modules` with them; the test is skipped where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="firstcause-node-", ignore_cleanup_errors=True) as folder:
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", folder)
        try:
            subprocess.run(
                [npm, "install", *quiet, *packages],
                check=True,
                capture_output=True,
                timeout=_INSTALL_TIMEOUT_S,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            error_lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            pytest.skip(
                f"npm does not install {', '.join(packages)}: {error_lines[-1] if error_lines else error}"
            )
        yield Path(folder) / "node_modules"
