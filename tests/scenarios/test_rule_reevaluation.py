"""Rules see what changes after an alert has begun: its count, its age, and all that is known besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.rulebase.rulebase import load_rulebase
from firstcause.simulation import rule_tests
from firstcause.simulation.backtest import run_backtest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.scenario_app import Stage

RULES = """\
component: shop
catalog:
  - {{code: PAID_NOT, title: Payments fail, category: DATA, severity: WARNING, impact: {{priority: P2}}}}
rules:
  - id: matters
    about: It is more than it was.
    priority: 20
    when:
      alert: {{kind: alert, code: PAID_NOT, {test}}}
      {more}
    then:
      - impact: {{of: $alert, priority: P0, reason: "{{alert.count}} in {{alert.age_s}} s"}}
"""


@pytest.fixture
def shop(stages: Callable[..., Stage], tmp_path: Path) -> Callable[..., Stage]:
    """A stage whose rules raise PAID_NOT to P0 where a test of the alert, and one of something else, hold."""
    (tmp_path / "rules").mkdir()
    (tmp_path / ".env").write_text("PAY_KEY=x\n")

    def made(test: str, more: str = "", env_vars: str = "") -> Stage:
        text = RULES.format(test=test, more=more)
        if env_vars:
            text = text.replace("severity: WARNING", f"severity: WARNING, fix: {{env_vars: [{env_vars}]}}")
        (tmp_path / "rules" / "shop.yaml").write_text(text)
        env = {"env_file": str(tmp_path / ".env")}
        return stages(rules={"paths": ["shipped", "rules"]}, health=env)

    return made


def changed_nothing(stage: Stage, until: float) -> None:
    """The same rules over what is stored say the same, looks without an event included."""
    knowledge = load_rulebase(stage.app.rules.folders, {})
    try:
        report = run_backtest(stage.app.database, knowledge, 30, stage.time(0), stage.time(until))
    finally:
        knowledge.close()
    assert report.differences == []


def test_a_count_that_grows_over_many_batches_passes_its_limit(shop: Callable[..., Stage]) -> None:
    stage = shop("count: {gte: 5}")
    for at in range(4):
        stage.report(at, "PAID_NOT", tenant="acme")
    assert stage.incident()["priority"] == "P2"
    stage.report(4, "PAID_NOT", tenant="acme")
    assert stage.incident()["priority"] == "P0"
    assert stage.incident()["timeline"][-1]["what"] == "priority P2 -> P0"
    stage.deliver(100)
    changed_nothing(stage, 100)


def test_a_limit_is_passed_within_one_batch_too(shop: Callable[..., Stage]) -> None:
    stage = shop("count: {gt: 5}")
    stage.report(0, "PAID_NOT")
    stage.report(1, *["PAID_NOT"] * 40)
    assert stage.incident()["priority"] == "P0"


def test_an_alert_grows_old_without_an_event(shop: Callable[..., Stage]) -> None:
    stage = shop("age_s: {gte: 300}")
    stage.report(0, "PAID_NOT")
    stage.app.maintenance.sweep(stage.time(299))
    assert stage.incident()["priority"] == "P2"
    stage.app.maintenance.sweep(stage.time(301))
    assert stage.incident()["priority"] == "P0"
    stage.deliver(500)
    assert stage.phones[0].summaries[-1].split()[1] == "PAID_NOT"
    changed_nothing(stage, 500)


def test_what_is_known_besides_changes_under_an_open_incident(
    shop: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = shop("count: {gt: 0}", "env: {kind: env, name: PAY_KEY, present: false}", "PAY_KEY")
    stage.report(0, "PAID_NOT")
    stage.app.maintenance.sweep(stage.time(60))
    assert stage.incident()["priority"] == "P2"
    (tmp_path / ".env").write_text("OTHER=x\n")
    stage.app.maintenance.sweep(stage.time(120))
    assert stage.incident()["priority"] == "P0"
    stage.deliver(500)
    changed_nothing(stage, 500)


def test_an_earlier_beginning_that_comes_late_is_seen(shop: Callable[..., Stage]) -> None:
    stage = shop("age_s: {gte: 300}")
    stage.report(400, "PAID_NOT")
    stage.take(401, stage.event(50, "PAID_NOT"))
    assert stage.incident()["priority"] == "P0"


def test_edited_rules_hold_for_what_is_open(shop: Callable[..., Stage], tmp_path: Path) -> None:
    stage = shop("count: {gte: 100}")
    stage.report(0, "PAID_NOT", "PAID_NOT")
    file = tmp_path / "rules" / "shop.yaml"
    file.write_text(file.read_text().replace("gte: 100", "gte: 2"))
    stage.app.rules.reload(stage.time(1))
    stage.app.pipeline.reevaluate(stage.time(1))
    assert stage.incident()["priority"] == "P0"


def test_looking_again_at_nothing_new_changes_nothing(stage: Stage) -> None:
    stage.report(0, "TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE", "NOBODY_KNOWS_IT", tenant="acme")
    stage.deliver(100)
    before = stage.everything_stored()
    for at in range(100, 700, 60):
        stage.app.maintenance.sweep(stage.time(at))
        stage.deliver(at)
    assert stage.everything_stored() == before


def test_a_test_beside_the_rules_may_let_time_go_by(tmp_path: Path) -> None:
    tests = """\
tests:
  - name: young
    given: [{at: 0s, event: {code: PAID_NOT}}]
    expect: {priority: P2}
  - name: old
    given: [{at: 0s, event: {code: PAID_NOT}}, {at: 5m}]
    expect: {priority: P0}
"""
    (tmp_path / "shop.yaml").write_text(RULES.format(test="age_s: {gte: 300}", more="") + tests)
    knowledge = load_rulebase([tmp_path], {})
    try:
        results = list(rule_tests.run_rule_tests(knowledge, knowledge.book.tests))
    finally:
        knowledge.close()
    assert [each.differences for each in results] == [(), ()]
