"""Verdicts as facts of later rules: the order, the end, and what is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstcause.errors import RuleFileError
from firstcause.inference.engine import Inference, verdict_fact
from firstcause.inference.language import PlacedRule, Rule
from firstcause.inference.stratification import find_cycles, stratify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firstcause.core.model import Fact, Verdict

ALERTS: list[Fact] = [{"kind": "alert", "id": name, "code": f"CODE_{name}"} for name in ("a", "b")]
KINDS = ("root_cause", "suppress", "impact")


def rule(
    name: str,
    kind: str,
    looks: dict[str, Any] | None = None,
    *,
    unless: dict[str, Any] | None = None,
    reason: str | None = None,
    **alert: str,
) -> Rule:
    """Says `kind` of every such alert, or only of those of which there is a verdict that it looks for."""
    when: dict[str, Any] = {"alert": {"kind": "alert", **alert}}
    if looks is not None:
        when["verdict"] = {"kind": "verdict", "of": "$alert.id", **looks}
    return Rule.model_validate(
        {
            "id": name,
            "about": "x",
            "when": when,
            "unless": {} if unless is None else {"none": {"kind": "verdict", "of": "$alert.id", **unless}},
            "then": [{kind: {"of": "$alert", "reason": reason or f"{name} of {{alert.code}}"}}],
        }
    )


def evaluate(rules: Iterable[Rule], facts: list[Fact]) -> list[Verdict]:
    engine = Inference([PlacedRule(each, "x.yaml", 1) for each in rules])
    try:
        return engine.evaluate(facts)
    finally:
        engine.close()


def test_a_rule_sees_what_others_concluded_whatever_the_order_of_the_files() -> None:
    third = rule("third", "suppress", {"rule": "second"}, reason="{verdict.reason}, so {verdict.code} waits")
    second, first = rule("second", "impact", {"verdict": "root_cause"}), rule("first", "root_cause")
    found = evaluate([third, second, first], ALERTS[:1])
    assert [(each.rule, each.because) for each in found] == [
        ("third", "second of CODE_a, so CODE_a waits"),
        ("second", "second of CODE_a"),
        ("first", "first of CODE_a"),
    ]
    assert found[0].facts["verdict"]["id"] == found[1].fact_id


def test_unless_waits_for_all_that_could_have_said_it() -> None:
    quiet = rule("quiet", "suppress", unless={"verdict": "impact"})
    hit = rule("hit", "impact", code="CODE_a")
    assert [(each.rule, each.of) for each in evaluate([quiet, hit], ALERTS)] == [("quiet", "b"), ("hit", "a")]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([rule("a", "impact", {"rule": "a"})], "a looks at a"),
        (
            [
                rule("a", "root_cause", {"verdict": "impact"}),
                rule("b", "impact", {"verdict": {"in": ["suppress", "cascade"]}}),
                rule("c", "suppress", unless={"verdict": "root_cause"}),
            ],
            "a looks at b looks at c looks at a",
        ),
    ],
)
def test_a_circle_is_refused_and_shown(rules: list[Rule], said: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        evaluate(rules, ALERTS)
    circle = f"verdicts go in a circle: {said}"
    assert str(caught.value) == f"x.yaml:1:0: {circle}; make one of the patterns narrower"


looks = st.one_of(
    st.none(),
    st.sampled_from(KINDS).map(lambda kind: {"verdict": kind}),
    st.sampled_from("abcd").map(lambda name: {"rule": name}),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=2).map(lambda kinds: {"verdict": {"in": kinds}}),
)
rule_sets = st.lists(st.tuples(st.sampled_from(KINDS), looks), min_size=1, max_size=4).map(
    lambda drawn: [rule(name, *each) for name, each in zip("abcd", drawn, strict=False)]
)


def least_fixpoint(rules: list[Rule]) -> set[tuple[str, str]]:
    """(rule, of): what can be concluded at all, found by saying again and again what follows."""
    said: set[tuple[str, str]] = set()
    while True:
        fresh = {
            (each.id, str(alert["id"]))
            for each, alert in itertools.product(rules, ALERTS)
            if _follows(each, str(alert["id"]), rules, said)
        }
        if fresh <= said:
            return said
        said |= fresh


def _follows(one: Rule, of: str, rules: list[Rule], said: set[tuple[str, str]]) -> bool:
    if "verdict" not in one.when:
        return True
    wanted = one.when["verdict"].model_dump(exclude_none=True, by_alias=True)
    for other in rules:
        if (other.id, of) not in said:
            continue
        kind = other.then[0].kind.value
        kinds = wanted.get("verdict", kind)
        among = kinds["in"] if isinstance(kinds, dict) else [kinds]
        if wanted.get("rule", other.id) == other.id and kind in among:
            return True
    return False


@settings(max_examples=300)
@given(rule_sets)
def test_what_has_an_order_gives_all_that_follows(rules: list[Rule]) -> None:
    if list(find_cycles(rules)):
        with pytest.raises(RuleFileError):
            evaluate(rules, ALERTS)
        return
    assert sorted(number for group in stratify(rules) for number in group) == list(range(len(rules)))
    assert {(each.rule, each.of) for each in evaluate(rules, ALERTS)} == least_fixpoint(rules)


def test_the_fact_that_a_verdict_is() -> None:
    (verdict,) = evaluate([rule("first", "root_cause")], ALERTS[:1])
    assert verdict_fact(verdict, {"a": ALERTS[0]}) == {
        "kind": "verdict", "id": "verdict:first:root_cause:a:", "verdict": "root_cause", "rule": "first",
        "of": "a", "code": "CODE_a", "reason": "first of CODE_a", "confidence": 1.0, "priority": 0,
    }  # fmt: skip
