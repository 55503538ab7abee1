"""Where the files are that come with firstcause: rules/, migrations/, config.toml."""

from __future__ import annotations

from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent


def shipped_path(name: str) -> Path:
    """The shipped file or folder of that name: inside the package (wheel), else atop the checkout."""
    packaged = PACKAGE_DIR / name
    return packaged if packaged.exists() else PACKAGE_DIR.parent.parent / name
