"""Commands that a stranger's plugin adds: its distribution is on the path of another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.firstcause_process import run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
import click
from firstcause import hookimpl

@click.command()
@click.argument("name")
def greet(name):
    "Greet somebody."
    click.echo(f"hello {name}")

@click.command()
def explode():
    raise RuntimeError("no fuse")

@click.command()
def run():
    click.echo("not the daemon")

@hookimpl
def firstcause_commands():
    return [greet, explode, run]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to call the command line in, with three plugins installed: two of them are broken."""
    site = tmp_path / "site"
    sources = {
        "fctest_greeter": PLUGIN,
        "fctest_broken": "firstcause_commands = 1\nraise OSError('out of order')",
        "fctest_other": "raise SystemExit('imported, though it has no commands')",
    }
    for module, source in sources.items():
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[firstcause]\n{module.removeprefix('fctest_')} = {module}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return tmp_path


def test_a_plugins_commands_are_called_and_listed(folder: Path) -> None:
    assert run_cli("greet", "ann", folder=folder).stdout == "hello ann\n"
    shown = run_cli("--help", folder=folder)
    assert "Greet somebody." in shown.stdout
    assert "plugin broken: does not load: OSError: out of order" in shown.stderr
    assert "fctest_other" not in shown.stderr


def test_a_plugins_command_that_raises_is_one_line(folder: Path) -> None:
    failed = run_cli("explode", folder=folder, ok=1)
    assert failed.stderr.splitlines()[-1] == "firstcause: command explode failed: RuntimeError: no fuse"


def test_our_own_commands_are_never_replaced(folder: Path) -> None:
    assert "not the daemon" not in run_cli("run", "--help", folder=folder).stdout
    states = {
        plugin["name"]: plugin for plugin in run_cli_json("plugins", "list", folder=folder, ok=1)["plugins"]
    }
    assert states["greeter"]["hooks"] == ["commands"]
    assert states["greeter"]["problems"] == [
        "the command 'run' exists in firstcause; that of the plugin is left out"
    ]


def test_an_unknown_command_is_still_a_wrong_call(folder: Path) -> None:
    assert "No such command 'gret'" in run_cli("gret", folder=folder, ok=2).stderr
