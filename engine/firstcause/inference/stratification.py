"""Orders rules that look at verdicts: each runs after all rules that could give such a verdict.

A verdict is a fact for rules of a later stratum only, and a rule is in one stratum, so every
evaluation ends. Rules whose verdicts feed each other in a circle have no order and are refused.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from firstcause.inference.language import Comparison, Condition, Literal, Pattern, Rule, expect_literal
from firstcause.inference.predicates import compile_predicate, equality_key
from firstcause.inference.variables import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.core.model import VerdictKind

VERDICT_FACT_KIND = "verdict"
"""The kind of fact that a verdict becomes for later rules."""


_MAX_CIRCLES = 10
"""Longer circles of verdicts that are looked for at once."""


def stratify(rules: Sequence[Rule]) -> list[list[int]]:
    """Group the indexes of the rules into strata that run one after the other.

    CycleError: see `find_cycles`.
    """
    sorter = TopologicalSorter(find_dependencies(rules))
    sorter.prepare()
    groups: list[list[int]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        groups.append(ready)
        sorter.done(*ready)
    return groups


def find_cycles(rules: Sequence[Rule]) -> Iterator[tuple[int, str]]:
    """Yield circles of verdicts: the index of one of the rules, and a message with the fix.

    Rules that look at their own verdicts come first, and alone, as each is in circles with many others. Of
    longer circles at most `_MAX_CIRCLES` are looked for.
    """
    graph = find_dependencies(rules)
    own = [index for index, others in graph.items() if index in others]
    for index in own:
        yield index, _describe_circle(rules, [index])
    for _ in range(0 if own else _MAX_CIRCLES):
        cycle = _find_cycle(graph)
        if not cycle:
            return
        yield cycle[0], _describe_circle(rules, cycle)
        graph[cycle[0]] = graph[cycle[0]] - {cycle[1]}


def _describe_circle(rules: Sequence[Rule], cycle: Sequence[int]) -> str:
    rule_ids = [rules[index].id for index in (*cycle, cycle[0])]
    return f"verdicts go in a circle: {' looks at '.join(rule_ids)}; make one of the patterns narrower"


def _find_cycle(graph: Mapping[int, frozenset[int]]) -> list[int]:
    """Return the indexes of one circle of rules, each of which looks at verdicts of the next.

    Empty if none.
    """
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib's circle goes from what feeds to what is fed, and names its first twice.
        cycle = [int(index) for index in reversed(error.args[1][1:])]
        start = cycle.index(min(cycle))
        return cycle[start:] + cycle[:start]
    return []


def find_dependencies(rules: Sequence[Rule]) -> dict[int, frozenset[int]]:
    """Map the index of each rule to the indexes of rules that could give a verdict that it looks for."""
    producers: dict[tuple[frozenset[VerdictKind], int], list[int]] = {}
    for index, rule in enumerate(rules):
        key = frozenset(then.kind for then in rule.then), rule.priority
        producers.setdefault(key, []).append(index)
    by_pattern: dict[str, frozenset[int]] = {}

    def find_producers(pattern: Pattern) -> frozenset[int]:
        # Rules that give the same verdicts are asked once, and rules that ask the same share the answer.
        key = pattern.model_dump_json()
        if key not in by_pattern:
            groups = [[index] for group in producers.values() for index in group]
            if "rule" not in pattern.root:
                groups = list(producers.values())
            by_pattern[key] = frozenset(
                index for group in groups if can_produce(rules[group[0]], pattern) for index in group
            )
        return by_pattern[key]

    return {
        index: frozenset[int]().union(*map(find_producers, _select_verdict_patterns(rule)))
        for index, rule in enumerate(rules)
    }


def _select_verdict_patterns(rule: Rule) -> Iterator[Pattern]:
    for pattern in (*rule.when.values(), *rule.unless.values()):
        if pattern.root.get("kind") == VERDICT_FACT_KIND:
            yield pattern


def can_produce(rule: Rule, pattern: Pattern) -> bool:
    """Return whether a verdict of the rule could match the pattern, by its kind, rule and priority."""
    return any(
        could_match(pattern.root, {"verdict": then.kind.value, "rule": rule.id, "priority": rule.priority})
        for then in rule.then
    )


def could_match(tests: Mapping[str, Condition], known_fields: Mapping[str, Literal]) -> bool:
    """Whether a fact with these fields could match, whatever its other fields are."""
    return all(name not in tests or _test_holds(tests[name], value) for name, value in known_fields.items())


def _test_holds(test: Condition, value: Literal) -> bool:
    if isinstance(test, Comparison):
        return compile_predicate(test)(value)
    return parse_reference(test) is not None or equality_key(expect_literal(test)) == equality_key(value)
