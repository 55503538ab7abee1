"""Writes out what rules say in short: `any`, `after`, `within`, `for` and `absent` become plain patterns."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from firstcause.core.text.durations import parse_duration
from firstcause.inference.language import Comparison, Pattern, PlacedRule, Rule, Scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.inference.language import Condition

ANY, AFTER, WITHIN, FOR, ABSENT = "any", "after", "within", "for", "absent"

SHORT_WORDS = (ANY, AFTER, WITHIN, FOR, ABSENT)
"""Words of a pattern that are no fields."""

MAX_ALTERNATIVES = 16
"""Rules that one rule with `any` may stand for."""

_ALERT = "alert"
_EARLIER_FACT = re.compile(r"\$[a-z][a-z0-9_]*")


def expand_rules(rules: Sequence[PlacedRule]) -> list[PlacedRule]:
    """Write out each rule; those that one rule stands for have its id and its place."""
    return [
        PlacedRule(rule, placed.file, placed.line) for placed in rules for rule in expand_rule(placed.rule)
    ]


def expand_rule(rule: Rule) -> list[Rule]:
    """Return the plain rules that a rule stands for: more than one where `when` has `any`.

    A rule with a mistake in these words (see `check_short_words`) is returned as it is.
    """
    patterns = (*rule.when.values(), *rule.unless.values())
    if not any(word in pattern.root for pattern in patterns for word in SHORT_WORDS) or any(
        check_short_words(rule)
    ):
        return [rule]
    unless = {
        (name if len(options) == 1 else f"{name}.{ANY}.{number}"): option
        for name, pattern in rule.unless.items()
        for options in [_expand_pattern(pattern)]
        for number, option in enumerate(options)
    }
    choices = product(*map(_expand_pattern, rule.when.values()))
    return [
        rule.model_copy(update={"when": dict(zip(rule.when, chosen, strict=True)), "unless": unless})
        for chosen in choices
    ]


def _expand_pattern(pattern: Pattern) -> list[Pattern]:
    alternatives = pattern.root.get(ANY)
    if not isinstance(alternatives, tuple):
        return [_write_out(pattern.root)]
    common = {name: test for name, test in pattern.root.items() if name != ANY}
    return [_write_out({**common, **option.root}) for option in alternatives]


def _write_out(tests: Mapping[str, Condition]) -> Pattern:
    plain = dict(tests)
    earlier = plain.get(AFTER)
    if isinstance(earlier, str) and _EARLIER_FACT.fullmatch(earlier):
        age = f"{earlier}.age_s"
        del plain[AFTER]
        limits: dict[str, object] = {"lt": age}
        if WITHIN in plain:
            limits["gte"] = Scaled(of=age, plus=-parse_duration(plain.pop(WITHIN)))
        _add_limits(plain, "age_s", limits)
    if plain.get("kind") == _ALERT:
        for word, field in ((FOR, "age_s"), (ABSENT, "quiet_s")):
            if word in plain:
                _add_limits(plain, field, {"gte": parse_duration(plain.pop(word))})
    return Pattern.model_construct(plain)


def _add_limits(plain: dict[str, Condition], field: str, limits: Mapping[str, object]) -> None:
    known = plain.get(field)
    present = (
        {name: getattr(known, name) for name in known.present_tests} if isinstance(known, Comparison) else {}
    )
    aliases = {"in_": "in", "not_": "not"}
    plain[field] = Comparison.model_validate(
        {aliases.get(name, name): value for name, value in {**present, **limits}.items()}
    )


def check_short_words(rule: Rule) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with the words of a rule that are written out, with the path and the fix."""
    count = 1
    for part, patterns in (("when", rule.when), ("unless", rule.unless)):
        for name, pattern in patterns.items():
            alternatives = pattern.root.get(ANY)
            if part == "when" and isinstance(alternatives, tuple):
                count *= max(1, len(alternatives))
            yield from _check_pattern_words(pattern.root, (part, name))
    if count > MAX_ALTERNATIVES:
        yield ("when",), f"`any` makes {count} rules of this one, more than {MAX_ALTERNATIVES}; write several"


def _check_pattern_words(
    tests: Mapping[str, Condition], location: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    alternatives = tests.get(ANY)
    if ANY in tests and not (isinstance(alternatives, tuple) and alternatives):
        yield (
            (*location, ANY),
            "`any` is a list of patterns, such as [{kind: alert, code: A}, {kind: alert, code: B}]",
        )
    for index, option in enumerate(alternatives if isinstance(alternatives, tuple) else ()):
        if ANY in option.root:
            yield (*location, ANY, index), "`any` within `any`; write one list"
        merged = {name: test for name, test in {**tests, **option.root}.items() if name != ANY}
        yield from _check_pattern_words(merged, (*location, ANY, index))
    for name, test in tests.items():
        if name != ANY and isinstance(test, tuple):
            yield (*location, name), "a list does not test a field; write {in: [...]}"
    for word in (WITHIN, FOR, ABSENT):
        if word not in tests or (word != WITHIN and tests.get("kind") != _ALERT):
            continue
        try:
            parse_duration(tests[word])
        except ValueError as error:
            yield (*location, word), str(error)
    earlier = tests.get(AFTER)
    if WITHIN in tests and not (isinstance(earlier, str) and _EARLIER_FACT.fullmatch(earlier)):
        yield (*location, WITHIN), "`within` needs an earlier fact; add `after: $name`"
