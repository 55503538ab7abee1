"""Checks rules, and compiles them into the forms of durable-rules that are safe.

Safe (measured against a brute-force matcher): equality with text literals, joins by equality to
earlier facts, and negation behind a gate fact that is asserted last. So every value is
asserted as a short word that equal values share, and the tests that are no equality are decided in
Python once a fact and asserted as a mark that is there or is not. Not safe: `$or` beside a join, which
the engine then takes for fulfilled where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Fact, FactValue, VerdictKind
from firstcause.inference.language import OF, Cascade, Comparison, Condition, Pattern, Rule
from firstcause.inference.patterns import compile_pattern, impossible
from firstcause.inference.predicates import Predicate, identity, predicate
from firstcause.inference.variables import placeholders, reference

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
Asserted = dict[str, str | int]
Definition = dict[str, Any]

ALERT = "alert"

GATE: Asserted = {"id": "gate", "gate": 1}
"""The fact that is asserted last; no other has its field, and no rule fires before it."""


@dataclass
class _Kind:
    """How facts of one kind are told to durable-rules: their fields and marks, under short names."""

    word: str
    fields: dict[str, str] = field(default_factory=dict)
    marks: dict[tuple[str, str], tuple[str, Predicate]] = field(default_factory=dict)


class Vocabulary:
    """The short words that stand for kinds, fields, values and tests, shared by all rules."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._words: dict[Hashable, str] = {}
        self._marks = 0

    def kind(self, kind: str) -> str:
        return self._kind(kind).word

    def field(self, kind: str, name: str) -> str:
        fields = self._kind(kind).fields
        return fields.setdefault(name, f"f{len(fields)}")

    def mark(self, kind: str, name: str, test: Comparison) -> str:
        marks = self._kind(kind).marks
        key = (name, test.model_dump_json())
        if key not in marks:
            marks[key] = f"m{self._marks}", predicate(test)
            self._marks += 1
        return marks[key][0]

    def word(self, literal: FactValue) -> str:
        return self._words.setdefault(identity(literal), f"v{len(self._words)}")

    def assertable(self, facts: Sequence[Fact]) -> list[Asserted]:
        """What durable-rules is told of the facts: `id` is the number of the fact, then the gate.

        Facts of kinds that no rule asks for are left out.
        """
        fresh: dict[Hashable, str] = {}
        told = [
            self._asserted(number, fact, self._kinds[str(fact["kind"])], fresh)
            for number, fact in enumerate(facts)
            if str(fact["kind"]) in self._kinds
        ]
        return [*told, dict(GATE)]

    def _kind(self, kind: str) -> _Kind:
        return self._kinds.setdefault(kind, _Kind(f"k{len(self._kinds)}"))

    def _asserted(self, number: int, fact: Fact, kind: _Kind, fresh: dict[Hashable, str]) -> Asserted:
        asserted: Asserted = {"id": str(number), "k": kind.word}
        for name, short in kind.fields.items():
            key = identity(fact.get(name))
            if key is not None:
                asserted[short] = self._words.get(key) or fresh.setdefault(key, f"x{len(fresh)}")
        for (name, _test), (mark, holds) in kind.marks.items():
            if holds(fact.get(name)):
                asserted[mark] = 1
        return asserted


def definition(rule: Rule, vocabulary: Vocabulary) -> Definition:
    """The rule for durable-rules: its names are A0, A1, ... in the order of `when`."""
    kinds = {name: pattern.kind for name, pattern in rule.when.items()}
    short = {name: f"A{number}" for number, name in enumerate(rule.when)}
    when = [{short[name]: _tests(each, kinds, short, vocabulary)} for name, each in rule.when.items()]
    unless = [
        {f"N{number}$not": _tests(each, kinds, short, vocabulary)}
        for number, each in enumerate(rule.unless.values())
    ]
    return {"all": [*when, {"G": {"gate": 1}}, *unless]}


def _tests(
    pattern: Pattern, kinds: Mapping[str, str], short: Mapping[str, str], vocabulary: Vocabulary
) -> Definition:
    found: list[Definition] = [{"k": vocabulary.kind(pattern.kind)}]
    for name, test in pattern.root.items():
        if joined := reference(test):
            other, its_field = joined
            theirs = vocabulary.field(kinds[other], its_field)
            found.append({vocabulary.field(pattern.kind, name): {short[other]: theirs}})
        elif name != "kind":
            found.append(_test(pattern.kind, name, test, vocabulary))
    return {"$and": found} if len(found) > 1 else found[0]


def _test(kind: str, name: str, test: Condition, vocabulary: Vocabulary) -> Definition:
    if isinstance(test, Comparison):
        return {vocabulary.mark(kind, name, test): 1}
    return {vocabulary.field(kind, name): vocabulary.word(test)}


def validate(rule: Rule) -> list[Problem]:
    """What is wrong with a rule beyond its shape: (place within the rule, what and the mend)."""
    return [*_patterns(rule), *_verdicts(rule)]


def _patterns(rule: Rule) -> Iterator[Problem]:
    earlier: list[str] = []
    for part, patterns in (("when", rule.when), ("unless", rule.unless)):
        for name, pattern in patterns.items():
            yield from _pattern(pattern, (part, name), earlier)
            if part == "when":
                earlier.append(name)
            elif name in rule.when:
                yield (part, name), f"`when` has a {name} too; give this one another name"


def _pattern(pattern: Pattern, place: Location, earlier: Sequence[str]) -> Iterator[Problem]:
    kind = pattern.root.get("kind")
    if kind is None:
        yield place, "says no kind; add `kind: alert`, or another kind of docs/rules.md"
    elif not isinstance(kind, str) or kind.startswith("$"):
        yield (*place, "kind"), "kind is one word as it stands, such as `alert`; write one pattern a kind"
    for name, test in pattern.root.items():
        if name == "kind":
            continue
        if isinstance(test, Comparison):
            yield from _comparison(test, (*place, name))
        elif isinstance(test, str) and test.startswith("$"):
            yield from _join(test, (*place, name), earlier)


def _join(test: str, place: Location, earlier: Sequence[str]) -> Iterator[Problem]:
    joined = reference(test)
    if joined is None:
        yield place, f"{test!r} is no join; write $name.field"
    elif joined[0] not in earlier:
        known = ", ".join(f"${each}" for each in earlier) or "none"
        yield place, f"{test!r} names no earlier fact of `when`; earlier ones: {known}"


def _comparison(test: Comparison, place: Location) -> Iterator[Problem]:
    if test.in_ is not None and not test.in_:
        yield (*place, "in"), "an empty list is never fulfilled; list what the field may be"
    for number, each in enumerate(test.in_ or ()):
        if isinstance(each, str) and each.startswith("$"):
            yield (
                (*place, "in", number),
                f"{each!r} cannot be looked up in a list; write a rule for each join",
            )
    if test.matches is not None:
        try:
            compile_pattern(test.matches)
        except ValueError as error:
            yield (*place, "matches"), str(error)
        else:
            if impossible(test.matches):
                yield (*place, "matches"), "nothing stands after $ or before ^, so this is found in no text"


def _verdicts(rule: Rule) -> Iterator[Problem]:
    for number, then in enumerate(rule.then):
        place: Location = ("then", number, then.kind.value)
        for key, value in then.verdict:
            if key in {"of", "by"}:
                yield from _about(value, (*place, key), rule, OF.get(then.kind, ALERT))
            elif key in {"reason", "rollback"}:
                yield from _reason(value or "", (*place, key), rule)
            elif then.kind is VerdictKind.IMPACT:
                yield from _value(value, (*place, key), rule)
        if isinstance(then.verdict, Cascade) and then.verdict.of == then.verdict.by:
            yield (*place, "by"), f"{then.verdict.by} cannot cause itself; name another alert"


def _about(value: str, place: Location, rule: Rule, kind: str) -> Iterator[Problem]:
    found = [f"${name}" for name, each in rule.when.items() if each.root.get("kind") == kind]
    if value not in found:
        yield place, f"{value} is no {kind} of `when`; there are: {', '.join(found) or 'none'}"


def _reason(template: str, place: Location, rule: Rule) -> Iterator[Problem]:
    for written, name in placeholders(template):
        if name is None:
            yield place, f"{written} is no {{name.field}} of a fact of `when`"
        elif name not in rule.when:
            yield place, f"{written} names no fact of `when`; there are: {', '.join(rule.when)}"


def _value(value: object, place: Location, rule: Rule) -> Iterator[Problem]:
    if isinstance(value, tuple):
        for number, each in enumerate(value):
            if str(each).startswith("$"):
                yield (*place, number), f"{each!r} cannot be one of a list; write {place[-1]}: {each}"
    elif isinstance(value, str) and value.startswith("$"):
        joined = reference(value)
        if joined is None:
            yield place, f"{value!r} is no field of a fact; write $name.field"
        elif joined[0] not in rule.when:
            yield place, f"{value!r} names no fact of `when`; there are: {', '.join(rule.when)}"
