"""A mistake in the rule files of a plugin costs that plugin's rules only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import hookimpl
from firstcause.app.application import Application
from firstcause.config import FixedSettings
from firstcause.errors import RuleFileError
from firstcause.plugins.manager import PluginManager
from firstcause.rulebase.live_rules import LiveRules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENTRY = """component: {component}
catalog:
  - code: {code}
    title: Something is wrong with it
    category: SYSTEM
    severity: WARNING
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "rules.yaml").write_text(text)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write(tmp_path / "site", ENTRY.format(component="shop", code="SHOP_CLOSED"))


def load(site: Path, *folders: Path) -> tuple[set[str], Mapping[Path, str]]:
    told: list[Mapping[Path, str]] = []
    settings = FixedSettings.model_validate({"rules": {"paths": [str(site)]}, "folder": site})
    rules = LiveRules(settings, lambda: folders, None, told.append)
    codes = set(rules.catalog.entries)
    rules.close()
    return codes, told[-1]


def test_a_mistake_in_one_folder_leaves_the_others(site: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad", ENTRY.format(component="bad", code="BAD_ONE").replace("WARNING", "LOUD"))
    good = write(tmp_path / "good", ENTRY.format(component="good", code="GOOD_ONE"))
    codes, mistakes = load(site, bad, good)
    assert {"SHOP_CLOSED", "GOOD_ONE"} <= codes
    assert "BAD_ONE" not in codes
    assert set(mistakes) == {bad}
    assert f"{bad / 'rules.yaml'}:6:" in mistakes[bad]
    assert "`firstcause rules check` lists every mistake" in mistakes[bad]


def test_a_code_that_the_site_has_already_costs_the_plugins_folder(site: Path, tmp_path: Path) -> None:
    twin = write(tmp_path / "a_twin", ENTRY.format(component="twin", code="SHOP_CLOSED"))
    codes, mistakes = load(site, twin)
    assert "SHOP_CLOSED" in codes
    assert set(mistakes) == {twin}


def test_folders_that_load_are_reported_so(site: Path, tmp_path: Path) -> None:
    good = write(tmp_path / "good", ENTRY.format(component="good", code="GOOD_ONE"))
    assert load(site, good)[1] == {}


def test_a_mistake_of_the_site_is_the_sites(site: Path, tmp_path: Path) -> None:
    (site / "rules.yaml").write_text("component: [")
    good = write(tmp_path / "good", ENTRY.format(component="good", code="GOOD_ONE"))
    with pytest.raises(RuleFileError, match="site"):
        load(site, good)


def rule_on(kind: str) -> str:
    return f"""component: stranger
rules:
  - id: storm-outside
    about: x
    when:
      a: {{kind: alert, service: api}}
      b: {{kind: {kind}, rain: true}}
    then:
      - root_cause: {{of: $a, reason: "It rains"}}
"""


@pytest.mark.parametrize("kind", ["weather", "alrt"])
@pytest.mark.parametrize("supplies_facts", [True, False])
def test_kinds_that_no_file_names_belong_to_plugins_that_supply_facts(
    site: Path, tmp_path: Path, kind: str, *, supplies_facts: bool
) -> None:
    folder = write(tmp_path / "stranger", rule_on(kind))
    hooks: dict[str, Any] = {"firstcause_rules": lambda: [folder]}
    if supplies_facts:
        hooks["firstcause_facts"] = lambda context: []
    plugin = SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()})
    settings = FixedSettings.model_validate(
        {"rules": {"paths": [str(site)]}, "folder": site, "store": {"url": "sqlite://"}}
    )
    host = PluginManager([])
    host.register(plugin, "stranger")
    app = Application(settings, host)
    ids = [placed.rule.id for placed in app.rules.current.book.rules]
    app.close()
    assert ids == (["storm-outside"] if supplies_facts and kind == "weather" else [])
