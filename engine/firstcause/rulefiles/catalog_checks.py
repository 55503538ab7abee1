"""Checks that need all files together: codes, ids, circles of causes, patterns, and what rules ask for."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from firstcause.core.grouping.fingerprint import UNCATALOGUED
from firstcause.core.model import Priority, Revenue, TenantScope
from firstcause.core.text.spelling import suggest_nearest
from firstcause.inference.compiler import validate_rule
from firstcause.inference.expansion import check_short_words, expand_rule
from firstcause.inference.language import ORDERINGS, Comparison, Condition, Pattern, Rule
from firstcause.inference.patterns import compile_pattern, describe_difference, is_impossible
from firstcause.inference.variables import find_placeholders, parse_reference
from firstcause.rulefiles import fact_schema
from firstcause.rulefiles.rule_checks import check_rules
from firstcause.rulefiles.thresholds import THRESHOLDS_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from enum import StrEnum

    from firstcause.core.catalog import EntryBody
    from firstcause.errors import Mistake
    from firstcause.rulefiles.rule_file import RuleSource, SourceItem
    from firstcause.rulefiles.schema import RuleTest
    from firstcause.rulefiles.yaml_reader import YamlPath

M = TypeVar("M", bound=BaseModel)

_IMPACT_ENUMS: Mapping[str, type[StrEnum]] = {
    "priority": Priority,
    "revenue": Revenue,
    "tenants": TenantScope,
}


class _AllSources:
    """The entries, signals, rules and tests of all files, and every code that is defined."""

    def __init__(self, sources: Sequence[RuleSource], *, open_kinds: bool) -> None:
        self.sources = sources
        self.open_kinds = open_kinds
        self.codes = {UNCATALOGUED}.union(*(source.codes for source in sources))
        self.entries = list(chain.from_iterable(source.entries for source in sources))
        self.signals = list(chain.from_iterable(source.signals for source in sources))
        self.rules = list(chain.from_iterable(source.rules for source in sources))
        self.rule_ids = {item.value.id for item in self.rules}
        self.tests = list(chain.from_iterable(source.tests for source in sources))


def check_sources(sources: Sequence[RuleSource], *, open_kinds: bool = False) -> Iterator[Mistake]:
    """Find all mistakes between files, and those within rules that their shape does not show.

    open_kinds: see `rulefiles.load.load`.
    """
    everything = _AllSources(sources, open_kinds=open_kinds)
    for check in CHECKS:
        yield from check(everything)


def _check_names(everything: _AllSources) -> Iterator[Mistake]:
    yield from _find_duplicates(
        ((item, item.value.code) for item in everything.entries), ("code",), "the code"
    )
    yield from _find_duplicates(((item, item.value.id) for item in everything.rules), ("id",), "the rule id")
    yield from _find_duplicates(
        ((item, item.value.name) for item in everything.signals), ("name",), "the signal"
    )


def _check_match_patterns(everything: _AllSources) -> Iterator[Mistake]:
    for signal in everything.signals:
        yield from _check_patterns(signal, signal.value.match)
    for entry in everything.entries:
        yield from _check_patterns(entry, entry.value.match)


def _check_entry_references(everything: _AllSources) -> Iterator[Mistake]:
    for item in everything.entries:
        yield from _check_entry(item, everything.codes)


def _check_causes(everything: _AllSources) -> Iterator[Mistake]:
    yield from _check_cause_cycles(everything.entries)


def _check_each_rule(everything: _AllSources) -> Iterator[Mistake]:
    for item in everything.rules:
        for check in RULE_CHECKS:
            yield from check(item, everything.codes)


def _check_rules_together(everything: _AllSources) -> Iterator[Mistake]:
    # The content of a broken file is not known, so what refers to it would look as if it were missing.
    if all(source.usable for source in everything.sources):
        components = [
            (item, source.header.component)
            for source in everything.sources
            if source.header
            for item in source.entries
        ]
        yield from check_rules(everything.rules, components, open_kinds=everything.open_kinds)


def _check_tests(everything: _AllSources) -> Iterator[Mistake]:
    for item in everything.tests:
        yield from _check_test(item, everything.codes)
        yield from _check_expected_rules(item, everything.rule_ids)


CHECKS: tuple[Callable[[_AllSources], Iterator[Mistake]], ...] = (
    _check_names,
    _check_match_patterns,
    _check_entry_references,
    _check_causes,
    _check_each_rule,
    _check_rules_together,
    _check_tests,
)
"""Each yields the mistakes of one kind over all files."""


def _find_duplicates(
    named_items: Iterable[tuple[SourceItem[M], str]], loc: YamlPath, label: str
) -> Iterator[Mistake]:
    first_by_name: dict[str, SourceItem[M]] = {}
    for item, name in named_items:
        first = first_by_name.setdefault(name, item)
        if first is not item:
            location = f"{first.source.path}:{first.line}"
            yield item.build_mistake(
                loc, f"{label} '{name}' is already used at {location}; rename or remove one"
            )


def _check_entry(item: SourceItem[EntryBody], codes: set[str]) -> Iterator[Mistake]:
    entry = item.value
    for name, others in (("causes", entry.causes), ("related", entry.related)):
        for index, code in enumerate(others):
            if code not in codes:
                yield item.build_mistake((name, index), _format_unknown_code(code, codes))
            elif name == "related" and code == entry.code:
                yield item.build_mistake((name, index), f"{code} is related to itself; remove it")
            elif code in others[:index]:
                yield item.build_mistake((name, index), f"{code} is listed twice; remove one")


def _check_patterns(item: SourceItem[M], patterns: Sequence[str]) -> Iterator[Mistake]:
    for index, pattern in enumerate(patterns):
        if problem := _describe_pattern_problem(pattern):
            yield item.build_mistake(("match", index), problem)


def _describe_pattern_problem(pattern: str) -> str | None:
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        return f"the pattern does not compile: {error}"
    if compiled.occurs_in(""):
        return f"the pattern {pattern!r} matches every text; make it more specific"
    if is_impossible(pattern):
        return f"the pattern {pattern!r} matches no text: nothing can follow $ or precede ^; remove it"
    if difference := describe_difference(pattern):
        return f"the pattern {pattern!r} does not mean what it says: {difference}"
    return None


def _format_unknown_code(code: str, codes: set[str]) -> str:
    hint = suggest_nearest(code, sorted(codes)) or "; add it to a catalog, or correct it"
    return f"unknown code '{code}'{hint}"


def _check_cause_cycles(entries: Sequence[SourceItem[EntryBody]]) -> Iterator[Mistake]:
    """Find each circle of causes once, by removing its closing edge from the graph."""
    items = {item.value.code: item for item in reversed(entries)}
    graph = {code: set(item.value.causes) & items.keys() for code, item in items.items()}
    while cycle := _find_cycle(graph):
        start = cycle.index(min(cycle))
        ordered = cycle[start:] + cycle[:start]
        last, first = ordered[-1], ordered[0]
        graph[last].discard(first)
        item = items[last]
        text = f"causes go in a circle: {' -> '.join([*ordered, first])}; remove one of them"
        yield item.build_mistake(("causes", item.value.causes.index(first)), text)


def _find_cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the codes of one circle in the order of cause and effect; empty where there is none."""
    try:
        TopologicalSorter({code: sorted(causes) for code, causes in graph.items()}).prepare()
    except CycleError as error:
        # graphlib takes our effects for its predecessors, so its circle runs backwards.
        return [str(code) for code in reversed(error.args[1][1:])]
    return []


def _check_language(item: SourceItem[Rule], _codes: set[str]) -> Iterator[Mistake]:
    for loc, text in validate_rule(item.value):
        yield item.build_mistake(tuple(loc), text)


def _iter_patterns(rule: Rule) -> Iterator[tuple[str, str, Pattern]]:
    """Each pattern with its part of the rule, `when` or `unless`, and its name; alternatives one by one."""
    seen = set()
    for plain in expand_rule(rule):
        for part, patterns in (("when", plain.when), ("unless", plain.unless)):
            for alias, pattern in patterns.items():
                name = alias.partition(".")[0]
                key = (part, name, pattern.model_dump_json())
                if key not in seen:
                    seen.add(key)
                    yield part, name, pattern


def _check_aliases(item: SourceItem[Rule], _codes: set[str]) -> Iterator[Mistake]:
    for part, alias, _pattern in _iter_patterns(item.value):
        if alias == THRESHOLDS_NAME:
            text = f"'{THRESHOLDS_NAME}' is the name of the thresholds; use another name"
            yield item.build_mistake((part, alias), text, key=True)


def _check_conditions(item: SourceItem[Rule], codes: set[str]) -> Iterator[Mistake]:
    if any(check_short_words(item.value)):
        return  # These mistakes are reported already, and the fields are not known before they are corrected.
    for part, alias, pattern in _iter_patterns(item.value):
        kind = pattern.root.get("kind")
        for name, condition in pattern.root.items():
            if name != "kind" and isinstance(kind, str):
                yield from _check_condition(item, (part, alias, name), kind, condition, codes)


def _check_template_fields(item: SourceItem[Rule], _codes: set[str]) -> Iterator[Mistake]:
    """A field in a text that no fact of its kind has would be shown as `?` for ever."""
    for index, then in enumerate(item.value.then):
        for key, text in then.verdict:
            if not isinstance(text, str):
                continue
            references = [reference for _, reference in find_placeholders(text) if reference is not None]
            if reference := parse_reference(text):
                references.append(reference)
            for name, field in dict.fromkeys(references):
                if problem := _describe_unknown_in_all(item.value, name, field):
                    yield item.build_mistake(("then", index, then.kind.value, key), problem)


def _describe_unknown_in_all(rule: Rule, name: str, field: str) -> str | None:
    """Describe a field that no alternative of the pattern has."""
    kinds = [
        plain.when[name].kind
        for plain in expand_rule(rule)
        if name in plain.when and "kind" in plain.when[name].root
    ]
    problems = [_describe_unknown_field(kind, field) for kind in kinds if field not in {"kind", "id"}]
    return problems[0] if problems and all(problems) else None


def _check_verdict_codes(item: SourceItem[Rule], codes: set[str]) -> Iterator[Mistake]:
    for index, then in enumerate(item.value.then):
        code = getattr(then.verdict, "code", None)
        if code is not None and code not in codes:
            text = _format_unknown_code(code, codes)
            yield item.build_mistake(("then", index, then.kind.value, "code"), text)


def _check_impact_words(item: SourceItem[Rule], _codes: set[str]) -> Iterator[Mistake]:
    for index, then in enumerate(item.value.then):
        for name, enum in _IMPACT_ENUMS.items() if then.impact else ():
            value = getattr(then.impact, name)
            if isinstance(value, str) and value not in tuple(enum) and not value.startswith("$"):
                text = _format_invalid_value(value, (*enum, f"a fact's field such as $alert.{name}"))
                yield item.build_mistake(("then", index, "impact", name), text)


RULE_CHECKS: tuple[Callable[[SourceItem[Rule], set[str]], Iterator[Mistake]], ...] = (
    _check_language,
    _check_aliases,
    _check_conditions,
    _check_template_fields,
    _check_verdict_codes,
    _check_impact_words,
)
"""Each yields the mistakes of one kind in one rule, given all codes."""


def _check_condition(
    item: SourceItem[Rule], loc: YamlPath, kind: str, condition: Condition, codes: set[str]
) -> Iterator[Mistake]:
    name = str(loc[-1])
    fields = fact_schema.FIELDS_BY_KIND.get(kind, {})
    if problem := _describe_unknown_field(kind, name):
        yield item.build_mistake(loc, problem, key=True)
    if problem := _describe_wrong_type(kind, name, condition):
        yield item.build_mistake(loc, problem)
    if problem := _describe_duration(item.raw, loc, name):
        yield item.build_mistake(loc, problem)
    for sub_path, literal in _iter_literals(condition):
        if literal.startswith("$"):
            continue
        if (kind, name) in fact_schema.CODE_FIELDS and literal not in codes:
            yield item.build_mistake((*loc, *sub_path), _format_unknown_code(literal, codes))
        allowed_values = fields.get(name)
        if allowed_values and literal not in allowed_values:
            yield item.build_mistake((*loc, *sub_path), _format_invalid_value(literal, allowed_values))


def _describe_unknown_field(kind: str, name: str) -> str | None:
    """Describe a field that no fact of a kind has. To open kinds plugins may add fields, so only guess."""
    if kind not in fact_schema.FIELDS_BY_KIND or fact_schema.has_field(kind, name):
        return None
    fields = fact_schema.FIELDS_BY_KIND[kind]
    hint = suggest_nearest(name, fields)
    if not hint and kind not in fact_schema.CLOSED_KINDS:
        return None
    return f"no {kind} has a field '{name}'" + (hint or f"; it has {', '.join(fields)}")


def _describe_wrong_type(kind: str, name: str, condition: Condition) -> str | None:
    """Describe a test that asks a number of a text or the other way round, which never holds."""
    types = fact_schema.TYPES_BY_FIELD.get((kind, name), ())
    is_numeric, is_text = set(types) <= {int, float} and bool(types), types == (str,)
    if isinstance(condition, Comparison):
        if is_numeric and condition.matches is not None:
            return f"{name} is a number, so no pattern is found in it; write {{gte: 5}} or the like"
        is_compared = bool(condition.limits) and condition.matches is None
        if is_compared and types and not set(types) & {int, float}:
            return f"{name} is not a number, so it is never greater or less; write {{in: [...]}}"
        options = (*(condition.in_ or ()), *(condition.not_in or ()))
        literals = [*options, *([] if condition.not_ is None else [condition.not_])]
    else:
        literals = [condition] if isinstance(condition, str | int | float | bool) else []
    for literal in literals:
        if isinstance(literal, str) and literal.startswith("$"):
            continue
        if is_numeric and isinstance(literal, str | bool):
            return f"{name} is a number, and {literal!r} is none; {_suggest_number(str(literal))}"
        if is_text and not isinstance(literal, str):
            return f"{name} is a text, so it never equals {literal}; put it in quotes"
        if types == (bool,) and not isinstance(literal, bool):
            return f"{name} is true or false, and never {literal!r}; write {name}: true"
    return None


_SIGN_WORDS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_SIGNED_NUMBER = re.compile(r"\s*([<>]=?)?\s*(-?\d+(?:\.\d+)?)\s*%?\s*")


def _suggest_number(text: str) -> str:
    match = _SIGNED_NUMBER.fullmatch(text)
    if match is None:
        return "write a number, such as 5, or {gte: 5}"
    return (
        f"write {{{_SIGN_WORDS[match[1]]}: {match[2]}}}" if match[1] else f"write {match[2]} without quotes"
    )


def _describe_duration(raw: Any, loc: YamlPath, name: str) -> str | None:
    """Describe a duration that a field which is not in seconds is compared with."""
    written = raw
    for step in loc:
        written = written.get(step) if isinstance(written, dict) else None
    if not isinstance(written, dict) or name.endswith("_s"):
        return None
    durations = [
        str(limit)
        for word, limit in written.items()
        if word in ORDERINGS and isinstance(limit, str) and not limit.startswith("$")
    ]
    if not durations:
        return None
    unit = "in milliseconds; write the number" if name.endswith("_ms") else "no time; write a number"
    return f"{name} is {unit} instead of {durations[0]}"


def _iter_literals(condition: Condition) -> Iterator[tuple[YamlPath, str]]:
    if isinstance(condition, str):
        yield (), condition
    elif isinstance(condition, Comparison):
        for word, options in (("in", condition.in_), ("not_in", condition.not_in)):
            for index, literal in enumerate(options or ()):
                if isinstance(literal, str):
                    yield (word, index), literal
        if isinstance(condition.not_, str):
            yield ("not",), condition.not_


def _format_invalid_value(value: str, allowed_values: Sequence[str]) -> str:
    return f"'{value}' is not one of {', '.join(allowed_values)}{suggest_nearest(value, allowed_values)}"


def _check_test(item: SourceItem[RuleTest], codes: set[str]) -> Iterator[Mistake]:
    test = item.value
    named = {test.expect.root, *(test.expect.cascades or ())}
    known_codes = codes | set(test.uncatalogued)
    defined_codes = codes | {step.event.code for step in test.given if step.event and step.event.code}
    for index, step in enumerate(test.given):
        code = step.event.code if step.event else None
        if code is None or code in known_codes or code in named:
            continue
        yield item.build_mistake(
            ("given", index, "event", "code"), _format_unknown_event_code(code, suggest_nearest(code, codes))
        )
    if test.expect.root and test.expect.root not in defined_codes:
        yield item.build_mistake(("expect", "root"), _format_unknown_code(test.expect.root, defined_codes))
    for index, code in enumerate(test.expect.cascades or ()):
        if code not in defined_codes:
            yield item.build_mistake(("expect", "cascades", index), _format_unknown_code(code, defined_codes))


def _check_expected_rules(item: SourceItem[RuleTest], rule_ids: set[str]) -> Iterator[Mistake]:
    for name in ("fired", "not_fired"):
        for index, rule_id in enumerate(getattr(item.value.expect, name) or ()):
            if rule_id not in rule_ids:
                hint = suggest_nearest(rule_id, rule_ids) or "; correct it"
                yield item.build_mistake(("expect", name, index), f"no rule has the id '{rule_id}'{hint}")


def _format_unknown_event_code(code: str, hint: str) -> str:
    return (
        f"unknown code '{code}'{hint or '; add it to a catalog'}, or, where the test wants an error without "
        f"an entry, write `uncatalogued: [{code}]` beside `given`"
    )
