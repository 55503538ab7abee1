"""docs/health.md, held to what it says: its rule file is loaded and tested, its thresholds are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.rulefiles.load import load
from firstcause.simulation.rule_tests import run_rule_tests

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = shipped_path("rules").parent / "docs" / "health.md"


def test_its_rule_file_passes_its_own_test(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "shop.yaml").write_text(text)
    knowledge = load_rulebase([shipped_path("rules"), tmp_path], {})
    mine = [each for each in knowledge.book.tests if each.file.endswith("shop.yaml")]
    assert [result.differences for result in run_rule_tests(knowledge, mine)] == [()]
    knowledge.close()


def test_its_thresholds_are_those_of_the_shipped_files() -> None:
    known = load([shipped_path("rules")]).thresholds
    named = re.findall(r"`((?:regression|compare|forecast)_[a-z]+)`", GUIDE.read_text())
    assert len(named) > 8
    assert set(named) <= known.keys()
