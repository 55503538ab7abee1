"""The tests that stand in the shipped rule files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation import rule_tests
from firstcause.simulation.simulator import Simulator
from support.scenario_app import Stage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_test_in_the_shipped_files_passes() -> None:
    knowledge = load_rulebase([shipped_path("rules")], {})
    try:
        tests = knowledge.book.tests
        failed = [result for result in rule_tests.run_rule_tests(knowledge, tests) if result.differences]
    finally:
        knowledge.close()
    assert len(tests) > 250
    assert failed == []


def test_a_simulation_leaves_the_store_of_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with an empty store, so it would delete what is there."""
    url = f"sqlite:///{tmp_path}/live.db"
    stage = Stage(url, tmp_path)
    stage.report(0, "TWILIO_API_FAILURE")
    monkeypatch.setenv("FIRSTCAUSE_STORE__URL", url)
    knowledge = load_rulebase([shipped_path("rules")], {})
    with contextlib.closing(knowledge), contextlib.closing(Simulator(knowledge)) as simulator:
        simulator.run([])
        assert simulator.list_incidents() == []
    assert len(stage.incidents()) == 1
    stage.app.close()
