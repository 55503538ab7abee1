"""Writes the package of a new plugin: one that installs, types strictly, and has tests that pass."""

from __future__ import annotations

import keyword
import re
from enum import StrEnum
from string import Template
from typing import TYPE_CHECKING

from firstcause.authoring import plugin_templates as templates
from firstcause.errors import ConfigError
from firstcause.hookspecs import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MAX_NAME_LENGTH = 40


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
        "dependencies": ", ".join(f'"{text}"' for text in ("firstcause", *templates.DEPENDENCIES[kind])),
    }
    sources = {
        "pyproject.toml": templates.PYPROJECT,
        "README.md": templates.README,
        ".github/workflows/test.yml": templates.WORKFLOW,
        ".gitignore": templates.GITIGNORE,
        f"{module}/__init__.py": templates.MODULES[kind],
        f"{module}/py.typed": "",
        "tests/conftest.py": templates.CONFTEST,
        f"tests/test_{module.removeprefix('firstcause_')}.py": templates.TESTS[kind],
    }
    if kind is PluginKind.RULES:
        sources[f"{module}/rules/{name}.yaml"] = templates.RULE_FILE
    for relative, text in sources.items():
        yield relative, Template(text).substitute(values)
