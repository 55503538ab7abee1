"""What can only be seen over all files together: codes, ids, circles, patterns, and what rules ask for."""

from __future__ import annotations

from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from firstcause.core.grouping.fingerprint import UNCATALOGUED
from firstcause.core.model import Priority, Reach, Revenue
from firstcause.inference.compiler import validate
from firstcause.inference.language import Comparison, Condition, Rule, Then
from firstcause.inference.patterns import compile_pattern, impossible
from firstcause.rulefiles import fact_schema
from firstcause.rulefiles.rule_checks import rule_mistakes
from firstcause.rulefiles.thresholds import NAME
from firstcause.rulefiles.validation_messages import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from enum import StrEnum

    from firstcause.core.catalog import EntryBody
    from firstcause.errors import Mistake
    from firstcause.rulefiles.rule_file import Item, Source
    from firstcause.rulefiles.schema import RuleTest
    from firstcause.rulefiles.yaml_reader import Path

M = TypeVar("M", bound=BaseModel)

_IMPACT_WORDS: Mapping[str, type[StrEnum]] = {"priority": Priority, "revenue": Revenue, "tenants": Reach}


def check(sources: Sequence[Source]) -> Iterator[Mistake]:
    """All mistakes between files, and those within rules that their shape does not show."""
    codes = {UNCATALOGUED}.union(*(source.codes for source in sources))
    entries = list(chain.from_iterable(source.entries for source in sources))
    rules = list(chain.from_iterable(source.rules for source in sources))
    yield from _twice(((item, item.value.code) for item in entries), ("code",), "the code")
    yield from _twice(((item, item.value.id) for item in rules), ("id",), "the rule id")
    signals = list(chain.from_iterable(source.signals for source in sources))
    yield from _twice(((item, item.value.name) for item in signals), ("name",), "the signal")
    for signal in signals:
        yield from _patterns(signal, signal.value.match)
    yield from _circles(entries)
    for item in entries:
        yield from _entry(item, codes)
    for rule in rules:
        yield from _rule(rule, codes)
    if all(source.usable for source in sources):
        # What is missing from a broken file would look as if nobody had written it.
        components = [
            (item, source.head.component) for source in sources if source.head for item in source.entries
        ]
        yield from rule_mistakes(rules, components)
    for test in chain.from_iterable(source.tests for source in sources):
        yield from _test(test, codes)


def _twice(named: Iterable[tuple[Item[M], str]], loc: Path, what: str) -> Iterator[Mistake]:
    seen: dict[str, Item[M]] = {}
    for item, name in named:
        first = seen.setdefault(name, item)
        if first is not item:
            where = f"{first.source.path}:{first.line}"
            yield item.mistake(loc, f"{what} '{name}' is taken, by {where}; rename or remove one")


def _entry(item: Item[EntryBody], codes: set[str]) -> Iterator[Mistake]:
    entry = item.value
    for name, others in (("causes", entry.causes), ("related", entry.related)):
        for index, code in enumerate(others):
            if code not in codes:
                yield item.mistake((name, index), _unknown_code(code, codes))
            elif name == "related" and code == entry.code:
                yield item.mistake((name, index), f"{code} is related to itself; remove it")
            elif code in others[:index]:
                yield item.mistake((name, index), f"{code} is listed twice; remove one")
    yield from _patterns(item, entry.match)


def _patterns(item: Item[M], patterns: Sequence[str]) -> Iterator[Mistake]:
    for index, pattern in enumerate(patterns):
        if wrong := _useless(pattern):
            yield item.mistake(("match", index), wrong)


def _useless(pattern: str) -> str | None:
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        return f"the pattern does not compile: {error}"
    if compiled.found(""):
        return f"the pattern {pattern!r} is found in every text; make it say more"
    if impossible(pattern):
        return f"the pattern {pattern!r} is found in no text: nothing stands after $ or before ^; remove it"
    return None


def _unknown_code(code: str, codes: set[str]) -> str:
    mend = nearest(code, sorted(codes)) or "; add it to a catalog, or correct it"
    return f"unknown code '{code}'{mend}"


def _circles(entries: Sequence[Item[EntryBody]]) -> Iterator[Mistake]:
    """One mistake for each circle, until the graph without their closing edges has none."""
    items = {item.value.code: item for item in reversed(entries)}
    graph = {code: set(item.value.causes) & items.keys() for code, item in items.items()}
    while circle := _circle(graph):
        start = circle.index(min(circle))
        ordered = circle[start:] + circle[:start]
        last, first = ordered[-1], ordered[0]
        graph[last].discard(first)
        item = items[last]
        text = f"causes go in a circle: {' -> '.join([*ordered, first])}; remove one of them"
        yield item.mistake(("causes", item.value.causes.index(first)), text)


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Codes of one circle in the order of cause and effect, empty where there is none."""
    try:
        TopologicalSorter({code: sorted(causes) for code, causes in graph.items()}).prepare()
    except CycleError as error:
        # graphlib takes our effects for its predecessors, so its circle runs backwards.
        return [str(code) for code in reversed(error.args[1][1:])]
    return []


def _rule(item: Item[Rule], codes: set[str]) -> Iterator[Mistake]:
    for loc, text in validate(item.value):
        yield item.mistake(tuple(loc), text)
    for part, patterns in (("when", item.value.when), ("unless", item.value.unless)):
        for alias, pattern in patterns.items():
            if alias == NAME:
                yield item.mistake(
                    (part, alias), f"'{NAME}' is the name of the thresholds; take another", key=True
                )
            kind = pattern.root.get("kind")
            for name, condition in pattern.root.items():
                if name != "kind" and isinstance(kind, str):
                    yield from _condition(item, (part, alias, name), kind, condition, codes)
    for index, then in enumerate(item.value.then):
        yield from _raised(item, index, then, codes)
        for name, enum in _IMPACT_WORDS.items() if then.impact else ():
            word = getattr(then.impact, name)
            if isinstance(word, str) and word not in tuple(enum) and not word.startswith("$"):
                text = _not_among(word, (*enum, f"a fact's field such as $alert.{name}"))
                yield item.mistake(("then", index, "impact", name), text)


def _raised(item: Item[Rule], index: int, then: Then, codes: set[str]) -> Iterator[Mistake]:
    code = getattr(then.verdict, "code", None)
    if code is not None and code not in codes:
        yield item.mistake(("then", index, then.kind.value, "code"), _unknown_code(code, codes))


def _condition(
    item: Item[Rule], loc: Path, kind: str, condition: Condition, codes: set[str]
) -> Iterator[Mistake]:
    name = str(loc[-1])
    fields = fact_schema.FIELDS.get(kind, {})
    if kind in fact_schema.CLOSED and name not in fields:
        mend = nearest(name, fields) or f"; it has {', '.join(fields)}"
        yield item.mistake(loc, f"no {kind} has a field '{name}'{mend}", key=True)
    for inner, literal in _literals(condition):
        if literal.startswith("$"):
            continue
        if (kind, name) in fact_schema.CODES and literal not in codes:
            yield item.mistake((*loc, *inner), _unknown_code(literal, codes))
        words = fields.get(name)
        if words and literal not in words:
            yield item.mistake((*loc, *inner), _not_among(literal, words))


def _literals(condition: Condition) -> Iterator[tuple[Path, str]]:
    if isinstance(condition, str):
        yield (), condition
    elif isinstance(condition, Comparison):
        for index, literal in enumerate(condition.in_ or ()):
            if isinstance(literal, str):
                yield ("in", index), literal


def _not_among(word: str, words: Sequence[str]) -> str:
    found = get_close_matches(word.upper(), words, n=1)
    mend = f"; did you mean '{found[0]}'?" if found else ""
    return f"'{word}' is not one of {', '.join(words)}{mend}"


def _test(item: Item[RuleTest], codes: set[str]) -> Iterator[Mistake]:
    test = item.value
    known = codes | {step.event.code for step in test.given if step.event and step.event.code}
    if test.expect.root and test.expect.root not in known:
        yield item.mistake(("expect", "root"), _unknown_code(test.expect.root, known))
    for index, code in enumerate(test.expect.cascades or ()):
        if code not in known:
            yield item.mistake(("expect", "cascades", index), _unknown_code(code, known))
