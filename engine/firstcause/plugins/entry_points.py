"""Finds the entry points of plugins. Light on purpose: `firstcause --help` imports no more than this."""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress
from importlib.metadata import Distribution, EntryPoint, distributions
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from firstcause.hookspecs import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMANDS_HOOK = b"firstcause_commands"
_MAX_SOURCES = 200
"""Files of one package that are searched."""


def find_distributions() -> Iterator[Distribution]:
    """Find the distributions with entry points of our group; of two with one name, the first on sys.path."""
    yielded_names = set()
    for distribution in distributions():
        if f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or ""):
            name = re.sub(
                r"[-_.]+", "-", read_metadata(distribution, "Name") or str(id(distribution))
            ).lower()
            if name not in yielded_names:
                yielded_names.add(name)
                yield distribution


def read_metadata(distribution: Distribution, key: str) -> str | None:
    """Return one field of the distribution's METADATA; None if it has none."""
    metadata = distribution.metadata
    return metadata[key] if key in metadata else None  # noqa: SIM401 - not a dict: it has no get in every Python


def list_entry_points(distribution: Distribution) -> list[EntryPoint]:
    """List the entry points of our group. Raises whatever importlib.metadata raises for a broken file."""
    return [entry_point for entry_point in distribution.entry_points if entry_point.group == GROUP]


def list_plugin_names() -> list[str]:
    """List the names of all installed plugins, without importing any of them."""
    names: list[str] = []
    for distribution in find_distributions():
        with suppress(Exception):  # a broken file is a problem of that plugin: see `discover`
            names += [entry_point.name for entry_point in list_entry_points(distribution)]
    return names


def find_command_plugins() -> list[EntryPoint]:
    """Find the plugins whose module names the hook `firstcause_commands`, without importing any of them."""
    entry_points: list[EntryPoint] = []
    for distribution in find_distributions():
        try:
            entry_points += filter(_names_commands_hook, list_entry_points(distribution))
        except Exception:  # noqa: BLE001, S112 - a broken file is a problem of that plugin: see `discover`
            continue
    return entry_points


def _names_commands_hook(entry_point: EntryPoint) -> bool:
    """Whether the source of the module, or of its package, names the hook. True if there is none to read."""
    try:
        spec = importlib.util.find_spec(entry_point.module)
        if spec is None or spec.origin is None:
            return False
        if not spec.origin.endswith(".py"):
            return True
        origin = Path(spec.origin)
        others = origin.parent.glob("**/*.py") if origin.name == "__init__.py" else ()
        sources = (origin, *islice(others, _MAX_SOURCES))
        return any(_COMMANDS_HOOK in source.read_bytes() for source in sources)
    except Exception:  # noqa: BLE001 - a dotted name imports its parent package, which may raise anything
        return False
