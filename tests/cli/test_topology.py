"""The command topology."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from firstcause.cli import firstcause

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "[store]\nurl = 'sqlite:///{folder}/store.db'\n[topology.depends_on]\nweb = ['cart']\n"


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return ["--config", str(path)]


def test_it_lists_the_calls_with_their_source(config: list[str]) -> None:
    shown = CliRunner().invoke(firstcause, [*config, "topology", "--json"])
    (edge,) = json.loads(shown.output)["edges"]
    assert (edge["caller"], edge["callee"], edge["source"]) == ("web", "cart", "written")
    dot = CliRunner().invoke(firstcause, [*config, "topology", "web", "--format", "dot"]).output
    assert '"web" -> "cart"' in dot
    assert "written, 100%" in CliRunner().invoke(firstcause, [*config, "topology"]).output


def test_it_imports_files_as_a_rule_file(config: list[str], tmp_path: Path) -> None:
    compose = tmp_path / "compose.yaml"
    compose.write_text("services: {web: {depends_on: [db]}, db: {}}")
    shown = CliRunner().invoke(firstcause, [*config, "topology", "import", str(compose)])
    assert "- db  # compose.yaml, depends_on" in shown.output
