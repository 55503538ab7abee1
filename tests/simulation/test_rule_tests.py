"""The tests that stand in the shipped rule files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from firstcause.resources import shipped_path
from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation import rule_tests
from firstcause.simulation.junit import write_junit
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


RULES = """\
component: shop
catalog:
  - {code: CART_SLOW, title: The cart is slow, category: SYSTEM, severity: WARNING}
  - {code: CART_DOWN, title: The cart is down, category: SYSTEM, severity: WARNING}
rules:
  - id: many
    about: Many at once.
    when: {alert: {kind: alert, code: CART_SLOW, count: {gte: 20}}}
    then: [{impact: {of: $alert, priority: P0, reason: "{alert.count} at once"}}]
  - id: first-slow-then-down
    about: It was slow before it was down, and three times as often.
    when:
      slow: {kind: alert, code: CART_SLOW, tags.owner: jane, count: {gt: {of: $down.count, times: 3}}}
    then: [{suppress: {of: $slow, reason: "{slow.tags.owner} knows of {slow.title}"}}]
  - id: at-night
    about: Nobody works.
    when: {alert: {kind: alert, code: CART_DOWN}, clock: {kind: clock, hour: {lt: 6}, weekday: thu}}
    then: [{impact: {of: $alert, revenue: LOW, reason: "it is {clock.hour} o'clock in {clock.timezone}"}}]
  - id: silent
    about: Nothing since ten minutes.
    when: {alert: {kind: alert, any: [{code: CART_DOWN}, {code: CART_SLOW}], absent: 10m}}
    then: [{impact: {of: $alert, features: [Quiet], reason: "quiet for {alert.quiet_s} s"}}]
tests:
  - name: twenty in twenty seconds
    given: [{at: 0s, repeat: 20, every: 1s, event: {code: CART_SLOW}}]
    expect: {incidents: 1, priority: P0, fired: [many], not_fired: [at-night, silent]}
  - name: slow before down, at night, and then nothing for long
    given:
      - {at: 0s, repeat: 4, every: 1s, event: {code: CART_SLOW, tags: {owner: jane}}}
      - {at: 60s, event: {code: CART_DOWN}}
      - {at: 15m}
    expect: {fired: [first-slow-then-down, at-night, silent], not_fired: [many]}
  - name: nineteen are not enough
    given: [{at: 0s, repeat: 19, every: 1s, event: {code: CART_SLOW}}]
    expect: {fired: [many], quiet: true}
""".replace("      slow: {kind", "      down: {kind: alert, code: CART_DOWN}\n      slow: {kind")


def test_what_a_test_expects_of_rules_and_what_they_lacked(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(RULES)
    knowledge = load_rulebase([shipped_path("rules"), tmp_path], {})
    with contextlib.closing(knowledge):
        tests = [test for test in knowledge.book.tests if test.path.parent == tmp_path]
        first, second, third = rule_tests.run_rule_tests(knowledge, tests)
    assert first.differences == ()
    assert second.differences == ()
    assert [(it.field, it.got) for it in third.differences] == [("quiet", "False"), ("fired", "not many")]
    assert any("when.alert.count: wanted >= 20, got 19, 1 short" in line for line in third.explanation)
    write_junit(tmp_path / "junit.xml", [first, second, third])
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "1 short" in str(failure.text)
