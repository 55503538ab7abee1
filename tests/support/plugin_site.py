"""Plugins as they are installed: distribution folders in a folder that is put on the path."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install_plugin(site: Path, name: str, source: str) -> None:
    """Install a distribution fctest-NAME whose one module, fctest_NAME, is the plugin NAME."""
    module = f"fctest_{name}"
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fctest-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[firstcause]\n{name} = {module}\n")
