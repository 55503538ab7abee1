"""Which of the catalogued settings the application has. Values are read only to be masked elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def presence(names: Iterable[str], env_file: Path | None) -> dict[str, bool]:
    """Name -> whether the application's dotenv file sets it to something. Empty without such a file.

    Our own environment says nothing of the application's, so it is not asked.
    """
    if env_file is None:
        return {}
    values = dotenv_values(env_file) if env_file.is_file() else {}
    return {name: bool(values.get(name)) for name in sorted(names)}


def secret_values(names: Iterable[str], env_file: Path | None) -> list[str]:
    """The values of these variables wherever we can see them; nothing that we keep may contain one."""
    values = dotenv_values(env_file) if env_file is not None and env_file.is_file() else {}
    found = [value for name in names for value in (values.get(name), os.environ.get(name)) if value]
    return sorted(set(found))
