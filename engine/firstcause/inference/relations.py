"""Tests of a fact against earlier facts that are not equality, decided in Python after the engine's matches.

durable-rules crashes on joins by anything but equality. So it matches a rule without them, and each match is
then looked at; an `unless` that has such a test is not given to the engine at all.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from firstcause.inference.language import Comparison, Pattern, Relation, Rule
from firstcause.inference.predicates import compile_predicate, equality_key
from firstcause.inference.variables import parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.core.model import Fact, FactValue

_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def has_relations(pattern: Pattern) -> bool:
    """Whether a pattern compares a field with one of an earlier fact other than by equality."""
    return any(isinstance(test, Comparison) and test.relations for test in pattern.root.values())


def relation_holds(relation: Relation, value: FactValue, matched: Mapping[str, Fact]) -> bool:
    """Whether a value passes the test against the earlier fact; false where one of the two has no value."""
    other = matched.get(relation.name, {}).get(relation.field)
    if relation.operator == "not":
        own_key, other_key = equality_key(value), equality_key(other)
        return own_key is not None and other_key is not None and own_key != other_key
    limit = compute_limit(relation, matched)
    return limit is not None and _is_number(value) and _COMPARE[relation.operator](value, limit)


def compute_limit(relation: Relation, matched: Mapping[str, Fact]) -> float | None:
    """Compute the number that a relation compares with; None where the earlier fact has none."""
    other = matched.get(relation.name, {}).get(relation.field)
    if not isinstance(other, int | float) or isinstance(other, bool):
        return None
    return other * relation.times + relation.plus


def _is_number(value: FactValue) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def pattern_holds(pattern: Pattern, fact: Fact, matched: Mapping[str, Fact]) -> bool:
    """Whether a fact passes all tests of a plain pattern, given the earlier facts by name."""
    return fact["kind"] == pattern.kind and all(
        _test_holds(test, fact.get(name), matched) for name, test in pattern.root.items() if name != "kind"
    )


def _test_holds(test: object, value: FactValue, matched: Mapping[str, Fact]) -> bool:
    if isinstance(test, Comparison):
        fixed = test.fixed
        return (fixed is None or compile_predicate(fixed)(value)) and all(
            relation_holds(relation, value, matched) for relation in test.relations
        )
    if join := parse_reference(test):
        test = matched.get(join[0], {}).get(join[1])
    key = equality_key(value)
    return key is not None and key == equality_key(test)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RelationChecks:
    """What is left to check of the matches of a rule.

    when: the relations of each pattern, by name and field. unless: patterns that the engine was not given.
    """

    when: tuple[tuple[str, str, Relation], ...]
    unless: tuple[Pattern, ...]

    @property
    def needed(self) -> bool:
        return bool(self.when or self.unless)

    def hold(self, matched: Mapping[str, Fact], facts_by_kind: Mapping[str, Sequence[Fact]]) -> bool:
        """Whether a match of the engine is one of the rule. facts_by_kind: all facts of the evaluation."""
        if not all(
            relation_holds(relation, matched[name].get(field), matched) for name, field, relation in self.when
        ):
            return False
        used = {fact["id"] for fact in matched.values()}
        return not any(
            fact["id"] not in used and pattern_holds(pattern, fact, matched)
            for pattern in self.unless
            for fact in facts_by_kind.get(pattern.kind, ())
        )


def compile_relations(rule: Rule) -> RelationChecks:
    """Collect the relations of a plain rule."""
    return RelationChecks(
        tuple(
            (name, field, relation)
            for name, pattern in rule.when.items()
            for field, test in pattern.root.items()
            if isinstance(test, Comparison)
            for relation in test.relations
        ),
        tuple(pattern for pattern in rule.unless.values() if has_relations(pattern)),
    )
