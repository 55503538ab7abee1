"""One evaluation is bounded: few facts, only the scopes that changed, and what is left waits and is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.core.grouping import overflow
from firstcause.pipeline import incident_evaluation
from firstcause.pipeline.waiting_scopes import WaitingScopes
from firstcause.rulebase.evaluation import ScopeEvaluator
from firstcause.store import alerts
from support.scenario_app import START

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from firstcause.core.model import Alert
    from support.scenario_app import Stage

CASCADE, ROOT = "AI_AGENT_INIT_FAILURE", "DB_CONNECTION_ERROR"
BEHIND, SWITCHED_OFF = "FIRSTCAUSE_EVALUATION_BEHIND", "FIRSTCAUSE_RULE_SWITCHED_OFF"

RULE = """\
component: site
rules:
  - id: two-at-one-service
    about: Two errors at one service.
    when:
      a: {kind: alert}
      b: {kind: alert, service: $a.service}
    then:
      - suppress: {of: $a, reason: r}
"""


def list_codes(stage: Stage, count: int) -> list[str]:
    codes = [code for code in sorted(stage.app.rules.catalog.entries) if not code.startswith("FIRSTCAUSE")]
    assert len(codes) >= count
    return codes[:count]


def load_active(stage: Stage) -> dict[str, Alert]:
    with stage.app.database.read() as conn:
        return {alert.fingerprint: alert for alert in alerts.load_active(conn)}


def find_condition_codes(stage: Stage, seconds: float) -> set[str]:
    return {condition.code for condition in stage.app.self_check.find_conditions(stage.time(seconds))}


def count_evaluations(stage: Stage, act: Callable[[], object]) -> int:
    inference = stage.app.rules.current.inference
    before = inference.evaluation_count
    act()
    return inference.evaluation_count - before


def test_facts_grow_with_the_alerts_and_not_with_their_pairs(stages: Callable[..., Stage]) -> None:
    stage = stages()
    codes = list_codes(stage, 100)
    stage.take(1, *(stage.event(0, code, service=f"s{n}") for n in range(7) for code in codes))
    active = load_active(stage)
    assert len(active) >= 700
    facts = ScopeEvaluator(stage.app.rules.current, active, [], stage.time(2)).build_facts(None)
    assert len(facts) <= 4 * len(active)
    edges = [fact for fact in facts if fact["kind"] == "edge"]
    assert len(edges) > 100
    assert len(edges) == len({fact["effect"] for fact in edges})


def test_only_the_scopes_that_changed_are_evaluated(stages: Callable[..., Stage]) -> None:
    stage = stages()
    stage.take(0, *(stage.event(0, CASCADE, tenant=f"t{n}") for n in range(12)))

    def report(seconds: float, code: str, **fields: object) -> Callable[[], None]:
        return lambda: stage.report(seconds, code, **fields)

    assert count_evaluations(stage, report(1, "REDIS_SLOW", tenant="t3")) == 1
    assert count_evaluations(stage, report(2, CASCADE, tenant="t3", resolved=True)) == 1
    # What is wrong with the platform may be the cause in every tenant.
    assert count_evaluations(stage, report(3, ROOT)) == 13


def test_what_one_evaluation_may_not_take_waits_is_said_and_comes_to_the_same_end(
    stages: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(incident_evaluation, "MAX_WORK", 100)
    stage = stages()
    pipeline = stage.app.pipeline
    stage.take(0, *(stage.event(0, CASCADE, tenant=f"t{n:02}") for n in range(20)))
    assert len(stage.incidents("open")) == 1
    stage.app.intake.accept([stage.event(1, ROOT)], stage.time(1))
    assert count_evaluations(stage, lambda: pipeline.triage(stage.time(1))) < 10
    waiting = len(pipeline.waiting_scopes.tenants)
    assert waiting > 10
    assert f"triage: {waiting} scopes wait" in caplog.text
    # What is known so far stands, and the platform's own error is known at once.
    assert {row["root"]["code"] for row in stage.incidents("open")} >= {ROOT}
    assert BEHIND in find_condition_codes(stage, 2)
    # A batch of events goes on with what waits, so that a flood does not keep it waiting.
    stage.app.intake.accept([stage.event(2, "REDIS_SLOW", tenant="t19")], stage.time(2))
    assert pipeline.triage(stage.time(2)).events == 1
    assert 0 < len(pipeline.waiting_scopes.tenants) < waiting
    pipeline.triage_all(stage.time(3))
    assert pipeline.waiting_scopes.tenants == ()
    assert BEHIND not in find_condition_codes(stage, 4)
    bounded = {name: (alert.caused_by, alert.verdicts) for name, alert in load_active(stage).items()}
    monkeypatch.setattr(incident_evaluation, "MAX_WORK", 1_000_000)
    pipeline.reevaluate(stage.time(3))
    assert bounded == {name: (alert.caused_by, alert.verdicts) for name, alert in load_active(stage).items()}
    assert [row["root"]["code"] for row in stage.incidents("open") if row["root"]["code"] == CASCADE] == []


def test_what_waits_still_waits_after_a_failure() -> None:
    waiting = WaitingScopes()
    waiting.replace([None, "acme"], START)

    def fail() -> None:
        with waiting.kept_on_failure():
            waiting.replace([], START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (waiting.tenants, waiting.since) == ((None, "acme"), START)


def test_a_rule_that_ran_out_is_shown_and_the_others_go_on(
    stages: Callable[..., Stage], tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.yaml").write_text(RULE)
    stage = stages(rules={"paths": ["shipped", str(folder)]})
    stage.report(0, *list_codes(stage, 3), service="api")
    assert stage.incidents("open")
    assert SWITCHED_OFF not in find_condition_codes(stage, 1)
    stage.report(2, *list_codes(stage, 120), service="api")
    (condition,) = (
        found for found in stage.app.self_check.find_conditions(stage.time(3)) if found.code == SWITCHED_OFF
    )
    assert condition.about == "two-at-one-service"
    assert condition.detail == "site/site.yaml:3: it would make more than 10,000 combinations of facts"
    assert all(alert.verdicts for alert in load_active(stage).values())


def test_further_tenants_of_one_error_count_in_one_alert_and_are_one_message(
    stages: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overflow, "MAX_TENANT_ALERTS", 10)
    stage = stages()
    code = "SMS_DELIVERY_FAILURE"
    for batch in range(3):
        events = [
            stage.event(batch, code, tenant=f"company {number}", service="sms")
            for number in range(batch * 20, batch * 20 + 20)
        ]
        stage.take(batch, *events)
    stage.report(5, code, tenant="company 3", service="sms")
    stage.report(6, code, tenant="company 59", service="sms")
    rows = stage.rows("alert")
    assert len(rows) == 11
    assert sum(row["count"] for row in rows) == 62
    (further,) = [row for row in rows if row["tenant"] is None]
    assert (further["code"], further["count"]) == (code, 51)
    assert further["title"].endswith(", at 50 further tenants")
    assert len({row["fault"] for row in rows}) == 1
    stage.report(10, "TWILIO_API_FAILURE")
    stage.deliver(200)
    assert len(stage.incidents()) == 1
    assert [one.code for one in stage.phones[0].received] == ["TWILIO_API_FAILURE"]


def test_the_end_of_a_further_tenant_ends_no_other(
    stages: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overflow, "MAX_TENANT_ALERTS", 2)
    stage = stages()
    code = "SMS_DELIVERY_FAILURE"
    stage.take(0, *(stage.event(0, code, tenant=f"company {number}") for number in range(5)))
    stage.report(1, code, tenant="company 4", resolved=True)
    assert all(row["resolved_at"] is None for row in stage.rows("alert"))
    stage.report(2, code, tenant="company 0", resolved=True)
    assert [row["tenant"] for row in stage.rows("alert") if row["resolved_at"] is not None] == ["company 0"]
