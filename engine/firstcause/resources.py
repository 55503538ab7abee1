"""Where the files are that come with firstcause: rules/, migrations/, config.toml."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped file or folder of that name: inside the package (wheel), else atop the checkout."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parent.parent / name
