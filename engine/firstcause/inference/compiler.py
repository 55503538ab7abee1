"""Checks rules, and compiles them into the safe forms of durable-rules.

Safe (measured against a brute-force matcher): equality with text literals, joins by equality to
earlier facts, and negation behind a gate fact that is asserted last. So every value is
asserted as a short word that equal values share, and all other tests are decided in Python,
once a fact, and asserted as a mark that is present or absent. Not safe: `$or` beside a join, which the
engine then counts as fulfilled where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Fact, FactValue, VerdictKind
from firstcause.inference.expansion import check_short_words, expand_rule
from firstcause.inference.language import (
    SUBJECT_KINDS,
    Cascade,
    Comparison,
    Condition,
    Pattern,
    Rule,
    expect_literal,
)
from firstcause.inference.patterns import compile_pattern, is_impossible
from firstcause.inference.predicates import Predicate, compile_predicate, equality_key
from firstcause.inference.relations import has_relations
from firstcause.inference.variables import find_placeholders, parse_reference

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
AssertedFact = dict[str, str | int]
Definition = dict[str, Any]

ALERT_KIND = "alert"

GATE_FACT: AssertedFact = {"id": "gate", "gate": 1}
"""The fact that is asserted last; no other fact has its field, and no rule fires before it."""


_FIELD_ORDER = {"code": 0, "rule": 1, "verdict": 2, "name": 3, "probe": 4, "component": 5}
"""The fields whose values tell facts apart best come first in the tests of a pattern."""


@dataclass
class _KindVocabulary:
    """The short names by which durable-rules knows the fields and marks of one kind of fact."""

    word: str
    fields: dict[str, str] = field(default_factory=dict)
    marks: dict[tuple[str, str], tuple[str, Predicate]] = field(default_factory=dict)


class Vocabulary:
    """The short words that stand for kinds, fields, values and tests, shared by all rules."""

    def __init__(self) -> None:
        self._kinds: dict[str, _KindVocabulary] = {}
        self._words: dict[Hashable, str] = {}
        self._mark_count = 0

    def encode_kind(self, kind: str) -> str:
        return self._get_kind(kind).word

    def encode_field(self, kind: str, name: str) -> str:
        fields = self._get_kind(kind).fields
        return fields.setdefault(name, f"f{len(fields)}")

    def encode_test(self, kind: str, name: str, test: Comparison) -> str:
        marks = self._get_kind(kind).marks
        key = (name, test.model_dump_json())
        if key not in marks:
            marks[key] = f"m{self._mark_count}", compile_predicate(test)
            self._mark_count += 1
        return marks[key][0]

    def encode_value(self, literal: FactValue) -> str:
        return self._words.setdefault(equality_key(literal), f"v{len(self._words)}")

    def encode_facts(self, facts: Sequence[Fact]) -> list[AssertedFact]:
        """Encode the facts for durable-rules: `id` is the index of the fact.

        Facts of kinds that no rule looks at are left out.
        """
        new_words: dict[Hashable, str] = {}
        return [
            self._encode_fact(index, fact, self._kinds[str(fact["kind"])], new_words)
            for index, fact in enumerate(facts)
            if str(fact["kind"]) in self._kinds
        ]

    def _get_kind(self, kind: str) -> _KindVocabulary:
        return self._kinds.setdefault(kind, _KindVocabulary(f"k{len(self._kinds)}"))

    def _encode_fact(
        self, index: int, fact: Fact, kind: _KindVocabulary, new_words: dict[Hashable, str]
    ) -> AssertedFact:
        asserted: AssertedFact = {"id": str(index), "k": kind.word}
        for name, short in kind.fields.items():
            key = equality_key(fact.get(name))
            if key is not None:
                asserted[short] = self._words.get(key) or new_words.setdefault(key, f"x{len(new_words)}")
        for (name, _test), (mark, holds) in kind.marks.items():
            if holds(fact.get(name)):
                asserted[mark] = 1
        return asserted


@dataclass(frozen=True)
class CompiledPattern:
    """A pattern in the words of the vocabulary.

    tests: what a fact must have to be taken at all, by field. joins: pairs of a field, the position of an
    earlier pattern of `when` and the field of that one.
    """

    tests: tuple[tuple[str, str | int], ...]
    joins: tuple[tuple[str, int, str], ...]

    @property
    def kind(self) -> str:
        return str(self.tests[0][1])

    @cached_property
    def join_fields(self) -> tuple[str, ...]:
        """The fields that joins compare."""
        return tuple(name for name, _index, _other in self.joins)

    def takes(self, fact: AssertedFact) -> bool:
        """Whether the fact fulfils everything but the joins, and has what those compare."""
        for name, value in self.tests:
            if fact.get(name) != value:
                return False
        return all(name in fact for name in self.join_fields)

    @property
    def definition(self) -> Definition:
        tests: list[Definition] = [
            *({name: value} for name, value in self.tests),
            *({name: {f"A{index}": other}} for name, index, other in self.joins),
        ]
        return {"$and": tests} if len(tests) > 1 else tests[0]


@dataclass(frozen=True)
class CompiledRule:
    """A rule for durable-rules: its names become A0, A1, ... in the order of `when`."""

    when: tuple[CompiledPattern, ...]
    unless: tuple[CompiledPattern, ...]

    @property
    def patterns(self) -> tuple[CompiledPattern, ...]:
        return (*self.when, *self.unless)

    @property
    def definition(self) -> Definition:
        when = [{f"A{index}": pattern.definition} for index, pattern in enumerate(self.when)]
        unless = [{f"N{index}$not": pattern.definition} for index, pattern in enumerate(self.unless)]
        return {"all": [*when, {"G": {"gate": 1}}, *unless]}


def compile_rule(rule: Rule, vocabulary: Vocabulary) -> CompiledRule:
    """Compile a valid rule in plain patterns (see `expansion`), without its relations (see `relations`)."""
    kinds = {name: pattern.kind for name, pattern in rule.when.items()}
    indexes = {name: index for index, name in enumerate(rule.when)}

    def compile_tests(pattern: Pattern) -> CompiledPattern:
        tests: list[tuple[str, str | int]] = [("k", vocabulary.encode_kind(pattern.kind))]
        joins: list[tuple[str, int, str]] = []
        # Literals first, and codes before other fields: a fact that fails them passes no branch after them.
        for name, test in sorted(
            pattern.root.items(), key=lambda item: (_FIELD_ORDER.get(item[0], 9), item[0])
        ):
            if join := parse_reference(test):
                other, other_field = join
                own_word = vocabulary.encode_field(pattern.kind, name)
                other_word = vocabulary.encode_field(kinds[other], other_field)
                joins.append((own_word, indexes[other], other_word))
            elif name != "kind" and (fixed := _select_fixed(test)) is not None:
                tests.append(_compile_test(pattern.kind, name, fixed, vocabulary))
        return CompiledPattern((tests[0], *sorted(tests[1:], key=_test_order)), tuple(joins))

    return CompiledRule(
        tuple(compile_tests(pattern) for pattern in rule.when.values()),
        tuple(compile_tests(pattern) for pattern in rule.unless.values() if not has_relations(pattern)),
    )


def _select_fixed(test: Condition) -> Condition | None:
    """Return what the engine may decide of a test; the rest is left to `relations`."""
    return test.fixed if isinstance(test, Comparison) else test


def _test_order(test: tuple[str, str | int]) -> bool:
    return not isinstance(test[1], str)


def _compile_test(kind: str, name: str, test: Condition, vocabulary: Vocabulary) -> tuple[str, str | int]:
    if isinstance(test, Comparison):
        return vocabulary.encode_test(kind, name, test), 1
    return vocabulary.encode_field(kind, name), vocabulary.encode_value(expect_literal(test))


def validate_rule(rule: Rule) -> list[Problem]:
    """Return what is wrong with a rule beyond its shape.

    Each problem is a path within the rule, and the mistake with its fix.
    """
    if problems := list(check_short_words(rule)):
        return problems
    problems = [
        problem
        for plain in expand_rule(rule)
        for problem in (*_check_patterns(plain), *_check_verdicts(plain))
    ]
    return list(dict.fromkeys(problems))


def _check_patterns(rule: Rule) -> Iterator[Problem]:
    earlier: list[str] = []
    for part, patterns in (("when", rule.when), ("unless", rule.unless)):
        for name, pattern in patterns.items():
            yield from _check_pattern(pattern, (part, name), earlier)
            if part == "when":
                earlier.append(name)
            elif name in rule.when:
                yield (part, name), f"`when` has a {name} too; give this one another name"


def _check_pattern(pattern: Pattern, location: Location, earlier: Sequence[str]) -> Iterator[Problem]:
    kind = pattern.root.get("kind")
    if kind is None:
        yield location, "the kind is missing; add `kind: alert`, or another kind of docs/rules.md"
    elif not isinstance(kind, str) or kind.startswith("$"):
        yield (
            (*location, "kind"),
            "kind must be one literal word such as `alert`; write one pattern for each kind",
        )
    for name, test in pattern.root.items():
        if name == "kind":
            continue
        if isinstance(test, Comparison):
            yield from _check_comparison(test, (*location, name), earlier)
        elif isinstance(test, str) and test.startswith("$"):
            yield from _check_join(test, (*location, name), earlier)


def _check_join(test: str, location: Location, earlier: Sequence[str]) -> Iterator[Problem]:
    join = parse_reference(test)
    if join is None:
        yield location, f"{test!r} is not a join; write $name.field"
    elif join[0] not in earlier:
        names = ", ".join(f"${name}" for name in earlier) or "none"
        yield location, f"{test!r} does not name an earlier fact of `when`; earlier facts: {names}"


def _check_comparison(test: Comparison, location: Location, earlier: Sequence[str]) -> Iterator[Problem]:
    for relation in test.relations:
        yield from _check_join(f"${relation.name}.{relation.field}", (*location, relation.operator), earlier)
    if isinstance(test.not_, str) and test.not_.startswith("$") and parse_reference(test.not_) is None:
        yield (*location, "not"), f"{test.not_!r} is not a field; write $name.field"
    if test.in_ is not None and not test.in_:
        yield (*location, "in"), "an empty list never holds; list the values that the field may have"
    for word, index, option in (
        (word, index, option)
        for word, options in (("in", test.in_), ("not_in", test.not_in))
        for index, option in enumerate(options or ())
    ):
        if isinstance(option, str) and option.startswith("$"):
            yield (
                (*location, word, index),
                f"{option!r} cannot stand in a list; write one rule for each join",
            )
    if test.matches is not None:
        try:
            compile_pattern(test.matches)
        except ValueError as error:
            yield (*location, "matches"), str(error)
        else:
            if is_impossible(test.matches):
                yield (
                    (*location, "matches"),
                    "nothing can follow $ or precede ^, so this matches no text",
                )


def _check_verdicts(rule: Rule) -> Iterator[Problem]:
    for index, then in enumerate(rule.then):
        location: Location = ("then", index, then.kind.value)
        for key, value in then.verdict:
            if key in {"of", "by"}:
                yield from _check_subject(
                    value, (*location, key), rule, SUBJECT_KINDS.get(then.kind, ALERT_KIND)
                )
            elif key in {"reason", "rollback"}:
                yield from _check_template(value or "", (*location, key), rule)
            elif then.kind is VerdictKind.IMPACT:
                yield from _check_value(value, (*location, key), rule)
        if isinstance(then.verdict, Cascade) and then.verdict.of == then.verdict.by:
            yield (*location, "by"), f"{then.verdict.by} cannot cause itself; name another alert"


def _check_subject(value: str, location: Location, rule: Rule, kind: str) -> Iterator[Problem]:
    subjects = [f"${name}" for name, pattern in rule.when.items() if pattern.root.get("kind") == kind]
    if value not in subjects:
        names = ", ".join(subjects) or "none"
        yield location, f"{value} is not a fact of the kind {kind} of `when`; use one of: {names}"


def _check_template(template: str, location: Location, rule: Rule) -> Iterator[Problem]:
    for placeholder, reference in find_placeholders(template):
        if reference is None:
            yield location, f"{placeholder} is not a field of a fact of `when`; write {{name.field}}"
        elif reference[0] not in rule.when:
            yield (
                location,
                f"{placeholder} does not name a fact of `when`; use one of: {', '.join(rule.when)}",
            )


def _check_value(value: object, location: Location, rule: Rule) -> Iterator[Problem]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            if str(item).startswith("$"):
                yield (*location, index), f"{item!r} cannot stand in a list; write {location[-1]}: {item}"
    elif isinstance(value, str) and value.startswith("$"):
        join = parse_reference(value)
        if join is None:
            yield location, f"{value!r} is not a field of a fact; write $name.field"
        elif join[0] not in rule.when:
            yield location, f"{value!r} does not name a fact of `when`; use one of: {', '.join(rule.when)}"
