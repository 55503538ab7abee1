"""Sets of any number of rules stay within what durable-rules bears, and find what the plain matcher finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstcause.inference import rule_group, rule_sets
from firstcause.inference.durable_engine import EngineLimitError, RuleSet
from firstcause.inference.engine import Inference
from firstcause.inference.language import PlacedRule, Rule
from support.plain_matcher import brute_force, facts, rules

if TYPE_CHECKING:
    from firstcause.core.model import Fact

HERE = Path(__file__).parent


def make_alerts(count: int) -> list[Fact]:
    return [
        {"kind": "alert", "id": f"a{number}", "code": f"CODE_{number}", "count": number}
        for number in range(count)
    ]


WORLD: list[Fact] = [
    *make_alerts(9),
    {"kind": "silence", "id": "s1", "code": "CODE_1", "alert": "a1"},
    {"kind": "edge", "id": "e1", "cause": "a2", "effect": "a3"},
]
"""Every fact passes tests of all rules of each shape."""

SHAPES: dict[str, dict[str, Any]] = {
    "unless a join by id": {"unless": {"edge": {"kind": "edge", "effect": "$one.id"}}},
    "unless a join by code": {"unless": {"silence": {"kind": "silence", "code": "$one.code"}}},
    "one test each": {"one": {"count": {"gte": "NUMBER"}}},
    "a join each": {"two": {"kind": "silence", "alert": "$one.id"}},
    "two joins each": {
        "two": {"kind": "edge", "cause": "$one.id"},
        "three": {"kind": "alert", "id": "$two.effect"},
    },
    "the same test": {"one": {"count": {"gte": 3}}},
}


def make_rules(shape: str, count: int) -> list[dict[str, Any]]:
    parts = SHAPES[shape]
    written = []
    for number in range(count):
        when = {"one": {"kind": "alert", **parts.get("one", {})}}
        when |= {name: pattern for name, pattern in parts.items() if name in {"two", "three"}}
        if shape.startswith("unless"):
            when["one"]["code"] = f"CODE_{number % 12}"
        reason = " ".join(f"{{{name}.id}}" for name in when)
        text = json.dumps(
            {
                "id": f"rule-{number}",
                "about": "x",
                "when": when,
                "unless": parts.get("unless", {}),
                "then": [{"root_cause": {"of": "$one", "reason": reason}}],
            }
        )
        written.append(json.loads(text.replace('"NUMBER"', str(number % 80 / 10))))
    return written


def run(written: list[dict[str, Any]], known: list[Fact]) -> tuple[list[tuple[str, str]], Any]:
    engine = Inference([PlacedRule(Rule.model_validate(rule), "x.yaml", 1) for rule in written])
    try:
        return sorted(
            (verdict.rule, verdict.because) for verdict in engine.evaluate(known)
        ), engine.limits_of_sets
    finally:
        engine.close()


@pytest.mark.parametrize("shape", SHAPES)
def test_hundreds_of_rules_that_one_fact_passes_find_all(shape: str) -> None:
    """Each shape ended in error 303 from 64 rules on. A crash ends a process of its own, not the tests."""
    written = make_rules(shape, 150)
    script = (
        "import json, sys; sys.path[:0] = sys.argv[1:]; from test_rule_sets import run\n"
        "found, limits = run(*json.load(sys.stdin)); print(json.dumps([found, limits.branches, limits.sets]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(HERE), str(HERE.parent)],
        input=json.dumps([written, WORLD]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found, branches, _sets = json.loads(ended.stdout)
    assert [tuple(each) for each in found] == sorted(
        match for rule in written for match in brute_force(rule, WORLD)
    )
    assert branches <= rule_sets.MAX_BRANCHES


def test_two_thousand_rules_of_one_shape_work() -> None:
    written = make_rules("unless a join by id", 2000)
    found, limits = run(written, WORLD)
    assert found == sorted(match for rule in written for match in brute_force(rule, WORLD))
    assert limits.sets > 2000 // rule_sets.MAX_BRANCHES - 1


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(rules(0), min_size=4, max_size=8), facts)
def test_random_rules_past_64_branches_find_what_the_plain_matcher_finds(
    different: list[dict[str, Any]], known: list[Fact]
) -> None:
    written = [
        {**rule, "id": f"rule-{copy}-{number}"} for copy in range(14) for number, rule in enumerate(different)
    ]
    expected = sorted(match for rule in written for match in brute_force(rule, known))
    assert run(written, known)[0] == expected


def test_a_set_that_is_too_full_all_the_same_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_sets, "MAX_BRANCHES", 1000)
    written = make_rules("a join each", 150)
    found, limits = run(written, WORLD)
    assert limits.branches > 64
    assert found == sorted(match for rule in written for match in brute_force(rule, WORLD))


def test_a_rule_that_the_engine_refuses_alone_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class RefusingSet(RuleSet):
        def __init__(self, definitions: Any) -> None:
            super().__init__(definitions)
            self._is_refused = "1" in definitions

        def run(self, facts: Any) -> Any:
            if self._is_refused:
                raise EngineLimitError("error code: 303")
            return super().run(facts)

    monkeypatch.setattr(rule_group, "RuleSet", RefusingSet)
    found, _limits = run(make_rules("the same test", 4), WORLD)
    assert {rule for rule, _because in found} == {"rule-0", "rule-2", "rule-3"}
