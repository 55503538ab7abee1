"""Which of the catalogued settings the application has. Values are read only to be masked elsewhere."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


log = logging.getLogger("firstcause.health")


def presence(names: Iterable[str], env_file: Path | None) -> dict[str, bool]:
    """Name -> whether the application's dotenv file sets it to something.

    Empty where no file is named, and where it cannot be read, which is no word on what stands in it.
    Our own environment says nothing of the application's, so it is not asked.
    """
    if env_file is None:
        return {}
    values = _values(env_file)
    return {} if values is None else {name: bool(values.get(name)) for name in sorted(names)}


def secret_values(names: Iterable[str], env_file: Path | None) -> list[str]:
    """The values of these variables wherever we can see them; nothing that we keep may contain one."""
    values = (None if env_file is None else _values(env_file)) or {}
    found = [value for name in names for value in (values.get(name), os.environ.get(name)) if value]
    return sorted(set(found))


def _values(env_file: Path) -> dict[str, str | None] | None:
    """What the file sets, nothing where it is gone; None where it cannot be read."""
    try:
        return dotenv_values(env_file) if env_file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        log.warning("[health] env_file %s cannot be read: %s", env_file, type(error).__name__)
        return None
