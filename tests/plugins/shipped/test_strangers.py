"""Our plugins are written as a stranger's would be."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_it_imports_only_the_public_package(plugin: Path) -> None:
    ours = {"pydantic", "httpx", "anyio", "dotenv", "twilio", "requests", "urllib3", "re2", "sqlalchemy"}
    libraries = ours | {"apprise", "psutil", "pymongo", "redis", "google", "opentelemetry"}
    public = {"firstcause", plugin.name, *libraries, *sys.stdlib_module_names}
    for file in plugin.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert name.partition(".")[0] in public, f"{file.name} imports {name}"
                assert not name.startswith("firstcause."), f"{file.name} reaches into {name}"


def test_each_is_typed_packaged_and_found_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    points = set(project["project"]["entry-points"]["firstcause"].values())
    packaged = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    names = {plugin.name for plugin in PLUGINS}
    assert names == points
    assert {f"plugins/{name}" for name in names} <= packaged
    assert all((plugin / "py.typed").exists() for plugin in PLUGINS)


def test_the_engine_knows_none_of_their_names() -> None:
    for file in (ROOT / "engine").rglob("*.py"):
        if "demo" not in file.parts:
            assert not any(plugin.name in file.read_text() for plugin in PLUGINS), file
