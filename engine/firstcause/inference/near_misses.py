"""Explains why a rule did not fire: the facts that come nearest to its patterns, and what they lack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from firstcause.inference.expansion import expand_rules
from firstcause.inference.language import Comparison, Condition, Pattern, PlacedRule, Relation, expect_literal
from firstcause.inference.predicates import compile_predicate, equality_key
from firstcause.inference.relations import compute_limit, relation_holds
from firstcause.inference.variables import format_value, parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.core.model import Fact, FactValue

_MAX_PARTIALS = 64
"""Partial matches that are extended further; the best ones are kept."""

_LIMITS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class FailedCondition:
    """A condition that does not hold.

    location: "when" or "unless", the name of the pattern, the field; no field where there is no such fact
    at all, or where there is a fact that must not exist. shortfall: by how much a number misses its limit.
    """

    location: tuple[str, ...]
    expected: str
    actual: str
    shortfall: float | None = None

    def __str__(self) -> str:
        direction = "short" if self.expected.startswith(">") else "too much"
        shortfall_note = "" if self.shortfall is None else f", {self.shortfall:g} {direction}"
        return f"{'.'.join(self.location)}: wanted {self.expected}, got {self.actual}{shortfall_note}"


@dataclass(frozen=True)
class NearMiss:
    """The facts that come nearest, by their names in the rule, and the conditions that fail.

    distance: 0 where the rule fires. One more failed condition counts more than a number that is further off.
    """

    rule: PlacedRule
    facts: Mapping[str, Fact]
    failed_conditions: tuple[FailedCondition, ...]
    distance: float


@dataclass(frozen=True)
class _PartialMatch:
    matched: Mapping[str, Fact] = field(default_factory=dict)
    failed_conditions: tuple[FailedCondition, ...] = ()
    cost: float = 0.0


def find_nearest_miss(placed: PlacedRule, facts: Sequence[Fact]) -> NearMiss:
    """Find the best assignment of facts to the names of the rule; of equal ones that of the earlier facts."""
    misses = (_find_nearest_of_plain(plain, facts) for plain in expand_rules([placed]))
    return replace(min(misses, key=lambda miss: miss.distance), rule=placed)


def _find_nearest_of_plain(placed: PlacedRule, facts: Sequence[Fact]) -> NearMiss:
    partials = [_PartialMatch()]
    for name, pattern in placed.rule.when.items():
        partials = sorted(
            (candidate for partial in partials for candidate in _extend_with(partial, name, pattern, facts)),
            key=lambda candidate: candidate.cost,
        )[:_MAX_PARTIALS]
    best = min(
        (_apply_unless(candidate, placed, facts) for candidate in partials),
        key=lambda candidate: candidate.cost,
    )
    return NearMiss(placed, best.matched, best.failed_conditions, best.cost)


def _extend_with(
    partial: _PartialMatch, name: str, pattern: Pattern, facts: Sequence[Fact]
) -> Iterator[_PartialMatch]:
    """Yield the partial match with each fact of the pattern's kind, and with no fact for it."""
    used_ids = {fact["id"] for fact in partial.matched.values()}
    for fact in facts:
        if fact["kind"] != pattern.kind or fact["id"] in used_ids:
            continue
        failed_conditions = tuple(_find_failures(pattern, fact, partial.matched, ("when", name)))
        cost = sum(1.0 + _shortfall_cost(condition) for condition in failed_conditions)
        yield _PartialMatch(
            {**partial.matched, name: fact},
            partial.failed_conditions + failed_conditions,
            partial.cost + cost,
        )
    missing = FailedCondition(("when", name), _format_pattern(pattern), "no such fact")
    yield _PartialMatch(
        partial.matched, (*partial.failed_conditions, missing), partial.cost + 1.5 + len(pattern.root)
    )


def _apply_unless(partial: _PartialMatch, placed: PlacedRule, facts: Sequence[Fact]) -> _PartialMatch:
    """Add to the match the facts that exist and must not."""
    used_ids = {fact["id"] for fact in partial.matched.values()}
    present = tuple(
        FailedCondition(("unless", name), "none", _format_fact(fact))
        for name, pattern in placed.rule.unless.items()
        for fact in facts
        if fact["kind"] == pattern.kind
        and fact["id"] not in used_ids
        and not list(_find_failures(pattern, fact, partial.matched, ()))
    )
    return _PartialMatch(partial.matched, partial.failed_conditions + present, partial.cost + len(present))


def _find_failures(
    pattern: Pattern, fact: Fact, matched: Mapping[str, Fact], prefix: tuple[str, ...]
) -> Iterator[FailedCondition]:
    for name, test in pattern.root.items():
        if name == "kind":
            continue
        value, location = fact.get(name), (*prefix, name)
        if join := parse_reference(test):
            other_value = matched.get(join[0], {}).get(join[1])
            if equality_key(value) is None or equality_key(value) != equality_key(other_value):
                yield FailedCondition(
                    location, f"{test} ({_format_actual(other_value)})", _format_actual(value)
                )
        elif isinstance(test, Comparison):
            yield from _find_unmet_parts(test, value, location)
            yield from _find_unmet_relations(test, value, location, matched)
        elif equality_key(value) != equality_key(expect_literal(test)):
            yield FailedCondition(location, format_value(expect_literal(test)), _format_actual(value))


def _find_unmet_parts(
    test: Comparison, value: FactValue, location: tuple[str, ...]
) -> Iterator[FailedCondition]:
    """Yield each part of a comparison that fails by itself."""
    fixed = test.fixed
    for word in sorted(fixed.present_tests) if fixed is not None else ():
        part = test.model_copy(update=dict.fromkeys(type(test).model_fields.keys() - {word}))
        if compile_predicate(part)(value):
            continue
        limit = part.limits.get(word)
        yield FailedCondition(
            location, format_condition(part), _format_actual(value), _compute_shortfall(limit, value)
        )


def _find_unmet_relations(
    test: Comparison, value: FactValue, location: tuple[str, ...], matched: Mapping[str, Fact]
) -> Iterator[FailedCondition]:
    """Yield each test against an earlier fact that fails, with the number that was computed."""
    for relation in test.relations:
        if relation_holds(relation, value, matched):
            continue
        if relation.operator == "not":
            other = matched.get(relation.name, {}).get(relation.field)
            expected, limit = f"not {format_relation(relation)} ({_format_actual(other)})", None
        else:
            limit = compute_limit(relation, matched)
            computed = "nothing" if limit is None else f"{limit:g}"
            expected = f"{_LIMITS[relation.operator]} {format_relation(relation)} ({computed})"
        yield FailedCondition(location, expected, _format_actual(value), _compute_shortfall(limit, value))


def _compute_shortfall(limit: float | None, value: FactValue) -> float | None:
    is_numeric = limit is not None and isinstance(value, int | float) and not isinstance(value, bool)
    return abs(limit - value) if is_numeric else None  # type: ignore[operator]


def format_relation(relation: Relation) -> str:
    """Format what a relation compares with: `$a.count * 2 + 5`."""
    times = "" if relation.times == 1 else f" * {relation.times:g}"
    plus = "" if relation.plus == 0 else f" {'+' if relation.plus > 0 else '-'} {abs(relation.plus):g}"
    return f"${relation.name}.{relation.field}{times}{plus}"


def _format_actual(value: FactValue) -> str:
    return "nothing" if value is None else format_value(value)


def _shortfall_cost(condition: FailedCondition) -> float:
    """Return the cost of a miss: lower for nearer numbers, and below 1, the cost of a condition."""
    return 0.95 if condition.shortfall is None else 0.9 * condition.shortfall / (1.0 + condition.shortfall)


def format_condition(test: Condition) -> str:
    """Format a condition in words: `> 5`, `one of a, b`."""
    if not isinstance(test, Comparison):
        return format_value(expect_literal(test))
    parts = [f"{_LIMITS[word]} {limit:g}" for word, limit in test.limits.items()]
    parts += [
        f"{_LIMITS.get(relation.operator, 'not')} {format_relation(relation)}" for relation in test.relations
    ]
    refused = (
        *(test.not_in or ()),
        *(() if test.not_ is None or parse_reference(test.not_) else (test.not_,)),
    )
    if refused:
        parts.append(f"none of {', '.join(map(format_value, refused))}")
    if test.in_ is not None:
        parts.append(f"one of {', '.join(map(format_value, test.in_))}")
    if test.matches is not None:
        parts.append(f"/{test.matches}/ in it")
    if test.exists is not None:
        parts.append("any value" if test.exists else "no value")
    return " and ".join(parts)


def _format_pattern(pattern: Pattern) -> str:
    tests = [f"{name} {format_condition(test)}" for name, test in pattern.root.items() if name != "kind"]
    return f"{pattern.kind} with {', '.join(tests)}" if tests else pattern.kind


def _format_fact(fact: Fact) -> str:
    parts = [f"{name} {format_value(value)}" for name, value in fact.items() if name not in {"kind", "id"}]
    return f"{fact['kind']} {', '.join(parts[:4])}"
