"""An evening with rule files: write, check, test, fix, backtest and explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.firstcause_process import run_cli, run_cli_json

if TYPE_CHECKING:
    from pathlib import Path

FIRST = """\
component: shop
catalog:
  - code: CHECKOUT_SLOW
    title: The checkout is slow
    category: SYSTEM
    severity: WARNING
    cause: [CHECKOUT_FAILED]
  - {code: CHECKOUT_FAILED, title: The checkout fails, category: SYSTEM, severity: CRITICAL}
rules:
  - id: many
    about: Many at once.
    when: {alert: {kind: alert, code: CHECKOUT_FALED, count: {gt: 100, lt: 50}}}
    then: [{impact: {of: $alert, priority: P0}}]
tests:
  - name: slow first, then failing
    given:
      - {at: 0s, event: {code: CHECKOUT_SLOW}}
      - {at: 9s, event: {code: CHECKOUT_FAILED}}
    expect: {incidents: 1, root: CHECKOUT_SLOW, cascades: [CHECKOUT_FAILED], priority: P2}
"""


# Some twenty commands, each a process: the usual limit of a test is too short on a busy machine.
@pytest.mark.timeout(900)
def test_an_evening_with_a_rule_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (tmp_path / "config.toml").write_text('[rules]\npaths = ["rules", "shipped"]\n')
    file = rules / "shop.yaml"

    # Written in a hurry: every mistake is listed at once, with its place and the fix.
    file.write_text(FIRST)
    wrong = run_cli("rules", "check", folder=tmp_path, ok=1).stderr.splitlines()
    assert wrong == [
        f"{file}:7:5: unknown key 'cause'; did you mean 'causes'?",
        f"{file}:12:39: unknown code 'CHECKOUT_FALED'; did you mean 'CHECKOUT_FAILED'?",
        "2 mistakes",
    ]
    file.write_text(FIRST.replace("cause: [", "causes: [").replace("FALED", "FAILED"))
    wrong = run_cli("rules", "check", folder=tmp_path, ok=1).stderr.splitlines()
    assert wrong[0] == f"{file}:12:77: no number is both > 100 and < 50; correct one of them"

    # A test that fails shows both sides, and why.
    fixed = FIRST.replace("cause: [", "causes: [").replace("FALED", "FAILED").replace(", lt: 50", "")
    file.write_text(fixed.replace("priority: P2}", "priority: P1}"))
    failed = run_cli("rules", "test", "rules/shop.yaml", folder=tmp_path, ok=1).stdout.splitlines()
    assert failed[0] == "FAILED rules/shop.yaml:15: slow first, then failing"
    assert [line.split() for line in failed[1:3]] == [["WHAT", "EXPECTED", "GOT"], ["priority", "P1", "P2"]]
    reason = "CHECKOUT_SLOW is active and is a known cause of CHECKOUT_FAILED"
    assert any(reason in line for line in failed[3:])
    (result,) = run_cli_json("rules", "test", "--only", "slow first", folder=tmp_path, ok=1)["tests"]
    assert result["differences"] == [{"field": "priority", "expected": "P1", "got": "P2"}]
    file.write_text(fixed)
    assert run_cli("rules", "test", "--only", "shop", folder=tmp_path).stdout == "1 tests, none failed\n"

    # Errors arrive; the threshold was wrong, and a backtest shows what another one would have changed.
    for _ in range(3):
        run_cli("report", "CHECKOUT_FAILED", "--tenant", "acme", folder=tmp_path)
    asked = run_cli("rules", "explain", "many", folder=tmp_path).stdout
    assert "when.alert.count: wanted > 100, got 3, 97 short" in asked
    assert run_cli_json("rules", "backtest", "--strict", folder=tmp_path)["differences"] == []
    edited = tmp_path / "edited"
    edited.mkdir()
    (edited / "shop.yaml").write_text(fixed.replace("gt: 100", "gt: 2"))
    compared = ("rules", "backtest", "shipped", "edited", "--strict")
    differs = run_cli(*compared, folder=tmp_path, ok=1).stdout
    assert "3 events, 1 incidents since 30d: 1 would differ" in differs
    assert "+ verdict impact of CHECKOUT_FAILED by many" in differs
    file.write_text(fixed.replace("gt: 100", "gt: 2"))
    shown = run_cli("rules", "backtest", folder=tmp_path).stdout
    assert "  priority: was P2, would be P0" in shown

    # Which errors have no entry?
    run_cli("report", "-m", "basket 17 is haunted", folder=tmp_path)
    (unknown,) = run_cli_json("catalog", "coverage", folder=tmp_path)["uncovered"]
    assert unknown["message"] == "basket 17 is haunted"
    draft = run_cli("catalog", "coverage", "--draft", folder=tmp_path).stdout
    assert "match:" in draft

    for wrong_call in (
        ("rules", "backtest", "--since", "yesterday-ish"),
        ("rules", "explain", "mani"),
        ("explain", "99"),
        ("explain",),
        ("explain", "--what-if", "CHECKOUT_FAILED"),
        ("explain", "--what-if", "fixed=NOT_OPEN"),
    ):
        done = run_cli(*wrong_call, folder=tmp_path, ok=2)
        assert done.stderr.strip()
