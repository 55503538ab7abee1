"""Compiles a rule into the forms of durable-rules that are safe.

Safe (measured against a brute-force matcher): equality with text and true literals, joins by equality
to earlier facts, `$ex`, and negation behind a gate fact that is asserted last. Everything else, the
comparisons included, is decided in Python once a fact and asserted as a mark that is there or is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firstcause.core.model import Fact, FactValue
from firstcause.inference.language import Cascade, Comparison, Literal, Pattern, Rule
from firstcause.inference.patterns import compile_pattern

GATE = "gate"
KIND = "k"

Predicate = Callable[[FactValue], bool]
Location = tuple[str | int, ...]
Definition = dict[str, Any]

_REFERENCE = re.compile(r"^\$([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)$")
_TEMPLATE = re.compile(r"\{([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)\}")


def reference(value: object) -> tuple[str, str] | None:
    """(name, field) of `$name.field`, None for anything else."""
    found = _REFERENCE.match(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def fill(template: str, facts: Mapping[str, Fact]) -> str:
    """A reason with `{name.field}` filled from the facts; `?` where a fact lacks the field."""

    def value(found: re.Match[str]) -> str:
        got = facts.get(found[1], {}).get(found[2])
        return "?" if got is None else ", ".join(got) if isinstance(got, list) else str(got)

    return _TEMPLATE.sub(value, template)


@dataclass
class Marks:
    """The predicates of all rules, each with the name of the mark that stands for it.

    by_kind: kind of fact -> its fields -> (mark, predicate). The same test of the same field is one mark.
    """

    by_kind: dict[str, dict[str, list[tuple[str, Predicate]]]] = field(default_factory=dict)
    _names: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def name(self, kind: str, name: str, test: Literal | Comparison) -> str:
        key = (kind, name, f"{type(test).__name__}:{test!r}")
        if key not in self._names:
            mark = self._names[key] = f"m{len(self._names)}"
            self.by_kind.setdefault(kind, {}).setdefault(name, []).append((mark, predicate(test)))
        return self._names[key]

    def of(self, fact: Fact) -> dict[str, int]:
        """The marks that a fact bears."""
        fields = self.by_kind.get(str(fact["kind"]), {})
        return {mark: 1 for name, tests in fields.items() for mark, holds in tests if holds(fact.get(name))}


def same(left: FactValue, right: Literal) -> bool:
    """Equality as users mean it: true is not 1, and 2 is 2.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def predicate(test: Literal | Comparison) -> Predicate:
    """A test of one field; a field without a value passes only `exists: false`."""
    if not isinstance(test, Comparison):
        return lambda value: same(value, test)
    tests = list(_comparisons(test))
    return lambda value: all(holds(value) for holds in tests)


def _comparisons(test: Comparison) -> list[Predicate]:
    found: list[Predicate] = []
    for sign, limit in (("gt", test.gt), ("gte", test.gte), ("lt", test.lt), ("lte", test.lte)):
        if limit is not None:
            found.append(_ordered(sign, limit))
    if test.in_ is not None:
        allowed = test.in_
        found.append(lambda value: any(same(value, each) for each in allowed))
    if test.matches is not None:
        pattern = compile_pattern(test.matches)
        found.append(lambda value: isinstance(value, str) and pattern.found(value))
    if test.exists is not None:
        wanted = test.exists
        found.append(lambda value: (value is not None) is wanted)
    return found


def _ordered(sign: str, limit: float) -> Predicate:
    def holds(value: FactValue) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {"gt": value > limit, "gte": value >= limit, "lt": value < limit, "lte": value <= limit}[sign]

    return holds


def validate(rule: Rule) -> list[tuple[Location, str]]:
    """What is wrong with a rule beyond its shape: (place within the rule, what and the mend)."""
    problems: list[tuple[Location, str]] = []
    seen: list[str] = []
    for part, patterns in (("when", rule.when), ("unless", rule.unless)):
        for name, pattern in patterns.items():
            problems += _pattern_problems(pattern, (part, name), seen)
            if part == "when":
                seen.append(name)
    for number, then in enumerate(rule.then):
        place: Location = ("then", number, then.kind.value)
        problems += _verdict_problems(then.verdict, place, rule)
    return problems


def _pattern_problems(pattern: Pattern, place: Location, earlier: list[str]) -> list[tuple[Location, str]]:
    if not isinstance(pattern.root.get("kind"), str):
        return [(place, "says no kind; add `kind: alert`, or another kind of docs/rules.md")]
    problems: list[tuple[Location, str]] = []
    for name, test in pattern.root.items():
        at = (*place, name)
        joined = reference(test)
        if joined and joined[0] not in earlier:
            known = ", ".join(f"${each}" for each in earlier) or "none"
            problems.append((at, f"{test!r} names no earlier fact of `when`; earlier ones: {known}"))
        elif isinstance(test, str) and test.startswith("$") and not joined:
            problems.append((at, f"{test!r} is no join; write $name.field"))
        elif isinstance(test, Comparison) and test.matches is not None:
            try:
                compile_pattern(test.matches)
            except ValueError as error:
                problems.append(((*at, "matches"), str(error)))
    return problems


def _verdict_problems(verdict: Any, place: Location, rule: Rule) -> list[tuple[Location, str]]:
    problems: list[tuple[Location, str]] = []
    named = [("of", verdict.of)] + ([("by", verdict.by)] if isinstance(verdict, Cascade) else [])
    for key, value in named:
        pattern = rule.when.get(value.removeprefix("$"))
        if pattern is None or pattern.root.get("kind") != "alert":
            alerts = ", ".join(
                f"${name}" for name, each in rule.when.items() if each.root.get("kind") == "alert"
            )
            problems.append(((*place, key), f"{value} is no alert of `when`; there are: {alerts or 'none'}"))
    for name, _field in _TEMPLATE.findall(verdict.reason or ""):
        if name not in rule.when:
            problems.append(((*place, "reason"), f"{{{name}...}} names no fact of `when`"))
    for key, value in verdict:
        joined = reference(value)
        if joined and joined[0] not in rule.when:
            problems.append(((*place, key), f"{value} names no fact of `when`"))
    return problems


def definition(rule: Rule, marks: Marks) -> Definition:
    """The rule's `all` for durable-rules, without its action."""
    patterns = [{name: _conditions(pattern, marks)} for name, pattern in rule.when.items()]
    gate = [{GATE: {KIND: GATE}}]
    nots = [{f"{name}$not": _conditions(pattern, marks)} for name, pattern in rule.unless.items()]
    return {"all": [*patterns, *gate, *nots]}


def joined_fields(rule: Rule) -> set[str]:
    """Fields that joins of this rule compare; only these need be asserted besides the marks."""
    found: set[str] = set()
    for pattern in (*rule.when.values(), *rule.unless.values()):
        for name, test in pattern.root.items():
            if joined := reference(test):
                found |= {name, joined[1]}
    return found


def _conditions(pattern: Pattern, marks: Marks) -> Definition:
    found: list[Definition] = [{KIND: pattern.kind}]
    for name, test in pattern.root.items():
        if name == "kind":
            continue
        if joined := reference(test):
            found.append({f"f_{name}": {joined[0]: f"f_{joined[1]}"}})
        else:
            found.append({marks.name(pattern.kind, name, test): 1})
    return {"$and": found} if len(found) > 1 else found[0]
