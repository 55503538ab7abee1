"""Compiler and rule engine against a matcher that is plainly right, over thousands of rule sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firstcause.inference.engine import Inference
from firstcause.inference.language import PlacedRule, Rule
from support.plain_matcher import brute_force, facts, rule_sets

if TYPE_CHECKING:
    from firstcause.core.model import Fact

# Both were matched while `in` was compiled to `$or`.
A_JOIN_BESIDE_A_LIST = {
    "id": "rule-0",
    "about": "x",
    "when": {
        "one": {"kind": "alert"},
        "two": {"kind": "edge", "a": {"exists": True, "in": ["x", 1]}, "b": "x", "c": "$one.a"},
    },
    "unless": {},
    "then": [{"root_cause": {"of": "$one", "reason": "{one.id} {two.id}"}}],
}


@example(
    (A_JOIN_BESIDE_A_LIST,),
    [
        [{"kind": "alert", "id": "fact 0"}, {"kind": "edge", "a": "x", "b": "x", "id": "fact 1"}],
        [
            {"kind": "alert", "a": "x", "id": "fact 0"},
            {"kind": "edge", "a": "x", "b": "x", "c": "xy", "id": "fact 1"},
        ],
    ],
)
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(rule_sets, st.lists(facts, min_size=1, max_size=3))
def test_engine_finds_what_the_plain_matcher_finds(
    written: tuple[dict[str, Any], ...], worlds: list[list[Fact]]
) -> None:
    engine = Inference([PlacedRule(Rule.model_validate(rule), "x.yaml", 1) for rule in written])
    try:
        for known in worlds:
            found = [(verdict.rule, verdict.because) for verdict in engine.evaluate(known)]
            expected = [match for rule in written for match in brute_force(rule, known)]
            assert sorted(found) == sorted(expected)
    finally:
        engine.close()


@settings(max_examples=50)
@given(rule_sets, facts, st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(
    written: tuple[dict[str, Any], ...], known: list[Fact], chance: Any
) -> None:
    engine = Inference([PlacedRule(Rule.model_validate(rule), "x.yaml", 1) for rule in written])
    try:
        before = engine.evaluate(known)
        chance.shuffle(known)
        key = lambda verdict: (verdict.rule, verdict.because)  # noqa: E731
        assert sorted(engine.evaluate(known), key=key) == sorted(before, key=key)
    finally:
        engine.close()
