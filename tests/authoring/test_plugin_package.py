"""Packages of new plugins: each kind's own tests pass against this firstcause, and names are checked."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from firstcause.authoring.plugin_package import PluginKind, write_plugin_package
from firstcause.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(600)  # a process that loads the rules for each test, on a busy machine
def test_the_tests_of_each_kind_pass(tmp_path: Path) -> None:
    packages = []
    for kind in PluginKind:
        written = write_plugin_package(tmp_path, f"my-{kind}", kind)
        packages.append(written[0].parent)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["firstcause.testing"]\n')
    tests = [str(path) for package in packages for path in (package / "tests").glob("test_*.py")]
    assert len(tests) == len(PluginKind)
    options = ("-q", "-W", "error", "--import-mode=importlib", "-p", "no:cacheprovider")
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, *tests],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout
    assert " passed" in completed.stdout
    assert "skipped" not in completed.stdout


def test_a_package_says_what_it_is(tmp_path: Path) -> None:
    written = write_plugin_package(tmp_path, "my-queue", PluginKind.RULES)
    root = tmp_path / "firstcause-my-queue"
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["firstcause"] == {"my-queue": "firstcause_my_queue"}
    assert project["tool"]["mypy"]["strict"] is True
    names = {str(path.relative_to(root)) for path in written}
    assert {".github/workflows/test.yml", "firstcause_my_queue/py.typed", "README.md"} <= names
    assert "firstcause_my_queue/rules/my-queue.yaml" in names
    assert all("$" not in path.read_text().replace("${{ matrix", "") for path in written)


@pytest.mark.parametrize("name", ["", "My", "1st", "class", "a b", "../up", "a--b", "x" * 41])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a plugin; write lower-case letters"):
        write_plugin_package(tmp_path, name, PluginKind.PROBE)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_used_and_a_folder_that_exists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a plugin named redis is installed already"):
        write_plugin_package(tmp_path, "redis", PluginKind.PROBE, ["redis"])
    write_plugin_package(tmp_path, "queue", PluginKind.PROBE)
    with pytest.raises(ConfigError, match="exists already"):
        write_plugin_package(tmp_path, "queue", PluginKind.FACTS)
