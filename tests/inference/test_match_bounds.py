"""Rules that would make too many combinations of facts: counted before, left out, switched off, shown."""

from __future__ import annotations

import itertools
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.inference.combination_estimate import (
    MAX_ESTIMATED_COMBINATIONS,
    estimate_combinations,
    suggest_join,
)
from firstcause.inference.compiler import Vocabulary, compile_rule
from firstcause.inference.engine import Inference
from firstcause.inference.language import PlacedRule, Rule
from firstcause.inference.limited_rules import REST
from firstcause.inference.match_bounds import (
    MAX_COMBINATIONS_FACTOR,
    MIN_COMBINATIONS,
    PatternTable,
    find_excesses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause.core.model import Fact

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def rule(rule_id: str, when: dict[str, Any], of: str = "$a") -> Rule:
    return Rule.model_validate(
        {"id": rule_id, "about": "x", "when": when, "then": [{"root_cause": {"of": of, "reason": "r"}}]}
    )


ANY = {"kind": "alert"}
SINGLE = rule("single", {"a": ANY})
UNJOINED = rule("unjoined", {"a": ANY, "b": ANY})
BY_SEVERITY = rule(
    "by-severity", {"a": ANY, "b": ANY | {"severity": "$a.severity"}, "c": ANY | {"severity": "$a.severity"}}
)
BY_SERVICE = rule("by-service", {"a": ANY, "b": ANY | {"service": "$a.service"}})


def build_alerts(count: int) -> list[Fact]:
    return [
        {"kind": "alert", "id": f"alert-{n}", "severity": "CRITICAL", "service": f"s{n // 2}"}
        for n in range(count)
    ]


@pytest.fixture
def inference() -> Iterator[Inference]:
    rules = (SINGLE, UNJOINED, BY_SEVERITY, BY_SERVICE)
    engine = Inference([PlacedRule(each, "x.yaml", line) for line, each in enumerate(rules, 1)])
    yield engine
    engine.close()


def find_firing(engine: Inference, facts: list[Fact], now: datetime, scope: str | None = None) -> set[str]:
    return {verdict.rule for verdict in engine.evaluate(facts, now, scope)}


def test_what_three_facts_joined_by_severity_cost_is_not_paid_and_the_other_rules_go_on(
    inference: Inference, caplog: pytest.LogCaptureFixture
) -> None:
    # 400 alerts are 160,000 pairs and 64 million triples.
    with caplog.at_level(logging.WARNING):
        assert find_firing(inference, build_alerts(400), NOW) == {"single", "by-service"}
    off = inference.limited_rules.list_all(NOW)
    assert [(each.rule, each.place, each.scope) for each in off] == [
        ("by-severity", "x.yaml:3", None),
        ("unjoined", "x.yaml:2", None),
    ]
    assert {each.until for each in off} == {NOW + REST}
    assert "x.yaml:2: rule unjoined: switched off for 5 min in the scope of the platform" in caplog.text
    assert "join b to an earlier fact, such as `component: $a.component`" in caplog.text


def test_a_rule_rests_for_a_while_in_its_scope_and_is_tried_again(inference: Inference) -> None:
    few = build_alerts(3)
    assert find_firing(inference, few, NOW) == {"single", "unjoined", "by-severity", "by-service"}
    assert find_firing(inference, build_alerts(400), NOW, "acme") == {"single", "by-service"}
    assert "unjoined" in find_firing(inference, few, NOW, "bolt")
    assert "unjoined" not in find_firing(inference, few, NOW + REST / 2, "acme")
    # It ran out again, so it is off since the first time.
    find_firing(inference, build_alerts(400), NOW + REST, "acme")
    off = {each.rule: each for each in inference.limited_rules.list_all(NOW + REST)}
    assert (off["unjoined"].since, off["unjoined"].until) == (NOW, NOW + 2 * REST)
    assert "unjoined" in find_firing(inference, few, NOW + 2 * REST, "acme")
    assert inference.limited_rules.list_all(NOW + 2 * REST) == []


def test_scopes_in_which_nothing_happens_any_more_are_forgotten(inference: Inference) -> None:
    find_firing(inference, build_alerts(400), NOW, "acme")
    assert inference.limited_rules.list_all(NOW + REST + timedelta(seconds=1))
    assert inference.limited_rules.list_all(NOW + 3 * REST) == []


def test_many_rules_that_are_nearly_too_large_share_one_limit() -> None:
    rules = {n: rule(f"rule-{n}", {"a": ANY, "b": ANY}) for n in range(MAX_COMBINATIONS_FACTOR + 4)}
    vocabulary = Vocabulary()
    table = PatternTable({n: compile_rule(each, vocabulary) for n, each in rules.items()})
    # 90 facts are 90 and 8,100 combinations a rule.
    taken = table.take(vocabulary.encode_facts(build_alerts(90)))
    left_out = {excess.rule_index for excess in find_excesses(taken, rules)}
    running = len(rules) - len(left_out)
    assert running == MAX_COMBINATIONS_FACTOR * MIN_COMBINATIONS // 8190
    assert find_excesses(table.take(vocabulary.encode_facts(build_alerts(10))), rules) == []


FIELDS = ("severity", "service")
PATTERNS = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(("x", "y", "$a", "$b")), max_size=2)


@given(
    when=st.lists(PATTERNS, min_size=1, max_size=3),
    values=st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("xyz")), max_size=7),
    limit=st.integers(0, 400),
)
def test_combinations_are_counted_as_a_brute_force_search_counts_them(
    when: list[dict[str, str]], values: list[tuple[str, str]], limit: int
) -> None:
    names = "abc"[: len(when)]
    tests = [
        {
            field: f"{test}.{field}" if test.startswith("$") else test
            for field, test in pattern.items()
            if not test.startswith("$") or test[1] in names[:place]
        }
        for place, pattern in enumerate(when)
    ]
    facts: list[Fact] = [
        {"kind": "alert", "id": str(n), **dict(zip(FIELDS, pair, strict=True))}
        for n, pair in enumerate(values)
    ]
    vocabulary = Vocabulary()
    written = rule("r", dict(zip(names, (ANY | each for each in tests), strict=True)))
    table = PatternTable({0: compile_rule(written, vocabulary)})
    taken = table.take(vocabulary.encode_facts(facts))

    def matches(combination: tuple[Fact, ...]) -> bool:
        by_name = dict(zip(names, combination, strict=False))
        return all(
            fact[field] == (by_name[test[1]][field] if test.startswith("$") else test)
            for fact, pattern in zip(combination, tests, strict=False)
            for field, test in pattern.items()
        )

    expected = sum(
        matches(combination)
        for length in range(1, len(names) + 1)
        for combination in itertools.product(facts, repeat=length)
    )
    counted = taken.count_combinations(0, limit)
    # Below the limit, the bound may be higher than what there is, and never lower.
    assert counted > limit if expected > limit else expected <= counted <= limit


@pytest.mark.parametrize("written", [UNJOINED, BY_SEVERITY])
def test_the_estimate_refuses_what_facts_alone_would_multiply(written: Rule) -> None:
    assert estimate_combinations(written) > MAX_ESTIMATED_COMBINATIONS


@pytest.mark.parametrize(
    "when",
    [
        {"a": ANY, "b": ANY | {"service": "$a.service"}, "c": ANY | {"service": "$a.service"}},
        {"a": ANY | {"code": "X"}, "b": ANY | {"code": "Y"}, "c": ANY | {"code": "Z"}},
        {"a": ANY, "b": ANY | {"code": {"in": ["X", "Y"]}}},
        {"e": {"kind": "edge"}, "a": ANY | {"id": "$e.effect"}, "b": ANY | {"id": "$e.cause"}},
        {"a": ANY, "s": {"kind": "snapshot"}},
        {"a": ANY, "r": {"kind": "reading", "status": "DOWN"}},
    ],
)
def test_the_estimate_bears_rules_that_join_or_name_their_facts(when: dict[str, Any]) -> None:
    assert estimate_combinations(rule("r", when)) <= MAX_ESTIMATED_COMBINATIONS


def test_the_join_that_is_missing_is_named() -> None:
    edges = rule("r", {"e": {"kind": "edge"}, "a": ANY})
    assert suggest_join(edges).startswith("join a to an earlier fact, such as `id: $e.effect`")
    links = rule("r", {"a": ANY, "l": {"kind": "link"}})
    assert suggest_join(links).startswith("join l to an earlier fact, such as `effect: $a.id`")
    other = rule("r", {"a": ANY, "v": {"kind": "snapshot"}, "w": {"kind": "weather"}})
    assert suggest_join(other) == "narrow w, such as by its code"
