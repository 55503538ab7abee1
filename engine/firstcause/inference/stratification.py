"""The order of rules that look at verdicts: each after all that could give what it looks for.

A verdict is a fact for rules of a later stratum only, and a rule is in one stratum, so every
evaluation ends. Rules whose verdicts feed each other in a circle have no order and are refused.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from firstcause.inference.language import Comparison, Condition, Pattern, Rule
from firstcause.inference.predicates import identity, predicate
from firstcause.inference.variables import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KIND = "verdict"
"""The kind of fact that verdicts are to later rules."""


def strata(rules: Sequence[Rule]) -> list[list[int]]:
    """Numbers of the rules, in groups that run one after the other. CycleError: see `circles`."""
    sorter = TopologicalSorter(feeds(rules))
    sorter.prepare()
    found: list[list[int]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.append(ready)
        sorter.done(*ready)
    return found


def circles(rules: Sequence[Rule]) -> Iterator[tuple[int, str]]:
    """Each circle of verdicts once: the number of one of its rules, and the circle with the mend."""
    graph = feeds(rules)
    while found := _circle(graph):
        named = [rules[number].id for number in (*found, found[0])]
        text = f"verdicts go in a circle: {' looks at '.join(named)}; have one of them look at less"
        yield found[0], text
        graph[found[0]].discard(found[1 % len(found)])


def _circle(graph: Mapping[int, set[int]]) -> list[int]:
    """Numbers of rules of which each looks at verdicts of the next, and the last at the first's; or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib's circle goes from what feeds to what is fed, and names its first twice.
        found = [int(number) for number in reversed(error.args[1][1:])]
        start = found.index(min(found))
        return found[start:] + found[:start]
    return []


def feeds(rules: Sequence[Rule]) -> dict[int, set[int]]:
    """Number of each rule -> numbers of the rules that could give a verdict that it looks for."""
    return {
        number: {
            other for pattern in _looks(rule) for other, giver in enumerate(rules) if gives(giver, pattern)
        }
        for number, rule in enumerate(rules)
    }


def _looks(rule: Rule) -> Iterator[Pattern]:
    for pattern in (*rule.when.values(), *rule.unless.values()):
        if pattern.root.get("kind") == KIND:
            yield pattern


def gives(rule: Rule, pattern: Pattern) -> bool:
    """Whether a verdict of the rule could be what the pattern looks for, by its kind and its rule."""
    return any(
        _passes(pattern.root, {"verdict": then.kind.value, "rule": rule.id, "priority": rule.priority})
        for then in rule.then
    )


def _passes(tests: Mapping[str, Condition], known: Mapping[str, str | int]) -> bool:
    return all(name not in tests or _holds(tests[name], value) for name, value in known.items())


def _holds(test: Condition, value: str | int) -> bool:
    if isinstance(test, Comparison):
        return predicate(test)(value)
    return reference(test) is not None or identity(test) == identity(value)
