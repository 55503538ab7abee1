"""Writes the package of a new plugin: one that installs, types strictly, and has tests that pass."""

from __future__ import annotations

import keyword
import re
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from firstcause.errors import ConfigError
from firstcause.hookspecs import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MAX_NAME_LENGTH = 40

_TEMPLATES = Path(__file__).parent / "plugin_templates"
"""The files of a package. `$name` and the like are filled in; `$$` is a dollar."""


class PluginKind(StrEnum):
    """What a new plugin does; each has one hook."""

    PROBE = "probe"
    NOTIFIER = "notifier"
    ENRICH = "enrich"
    FACTS = "facts"
    INTAKE = "intake"
    REMEDY = "remedy"
    LISTENER = "listener"
    RULES = "rules"


_DEPENDENCIES: dict[PluginKind, tuple[str, ...]] = {
    PluginKind.PROBE: ("pydantic",),
    PluginKind.NOTIFIER: ("httpx", "pydantic"),
    PluginKind.ENRICH: ("pydantic",),
    PluginKind.FACTS: ("pydantic",),
    PluginKind.INTAKE: (),
    PluginKind.REMEDY: ("pydantic",),
    PluginKind.LISTENER: ("pydantic",),
    PluginKind.RULES: (),
}


def write_plugin_package(
    folder: Path, name: str, kind: PluginKind, used_names: Collection[str] = ()
) -> list[Path]:
    """Write the package firstcause-NAME into a new folder below `folder`, and return its files.

    used_names: of plugins that are installed. ConfigError: the name cannot be used, or the folder exists.
    """
    _check_name(name, used_names)
    root = folder / f"firstcause-{name.replace('_', '-')}"
    if root.exists():
        msg = f"{root} exists already; remove it, or choose another name"
        raise ConfigError(msg)
    written = []
    for relative, text in _iter_files(name, kind):
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _check_name(name: str, used_names: Collection[str]) -> None:
    if not _NAME_PATTERN.fullmatch(name) or len(name) > _MAX_NAME_LENGTH or keyword.iskeyword(name):
        msg = (
            f"{name!r} cannot be the name of a plugin; write lower-case letters and hyphens, such as my-queue"
        )
        raise ConfigError(msg)
    if name in used_names:
        msg = f"a plugin named {name} is installed already; choose another name"
        raise ConfigError(msg)


def _iter_files(name: str, kind: PluginKind) -> Iterator[tuple[str, str]]:
    module = f"firstcause_{name.replace('-', '_')}"
    values = {
        "name": name,
        "table": name,
        "dist": f"firstcause-{name.replace('_', '-')}",
        "module": module,
        "kind": kind.value,
        "api": API_VERSION,
        "snake": name.replace("-", "_"),
        "CODE": name.replace("-", "_").upper(),
        "dependencies": ", ".join(f'"{text}"' for text in ("firstcause", *_DEPENDENCIES[kind])),
    }
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".github/workflows/test.yml": "test.yml",
        ".gitignore": "gitignore",
        f"{module}/__init__.py": f"{kind}.py",
        "tests/conftest.py": "conftest.py",
        f"tests/test_{module.removeprefix('firstcause_')}.py": f"test_{kind}.py",
    }
    if kind is PluginKind.RULES:
        templates[f"{module}/rules/{name}.yaml"] = "rules.yaml"
    for relative, template in templates.items():
        text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
        yield relative, Template(text).substitute(values)
    yield f"{module}/py.typed", ""
