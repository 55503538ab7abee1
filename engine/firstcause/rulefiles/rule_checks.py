"""Finds rules that are well-formed and still cannot work: they never fire, or contradict each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from firstcause.core.model import VerdictKind
from firstcause.core.root_cause.graphs import CauseGraph
from firstcause.core.text.spelling import suggest_nearest
from firstcause.inference.combination_estimate import (
    ASSUMED_ALERTS,
    MAX_ESTIMATED_COMBINATIONS,
    estimate_combinations,
    find_largest_pattern,
    suggest_join,
)
from firstcause.inference.expansion import expand_rule
from firstcause.inference.language import Comparison, Condition, Pattern, Rule, Then
from firstcause.inference.predicates import compile_predicate
from firstcause.inference.stratification import VERDICT_FACT_KIND, can_produce, find_cycles
from firstcause.inference.variables import parse_reference
from firstcause.rulefiles import fact_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from firstcause.core.catalog import EntryBody
    from firstcause.errors import Mistake
    from firstcause.rulefiles.rule_file import SourceItem
    from firstcause.rulefiles.yaml_reader import YamlPath

Problem = tuple["YamlPath", str]
"""The path within a rule, and what is wrong there with the fix."""

_NUMERIC_OPERATORS = ("gt", "gte", "lt", "lte")


def check_rules(
    written: Sequence[SourceItem[Rule]],
    entries: Sequence[tuple[SourceItem[EntryBody], str]],
    *,
    open_kinds: bool = False,
) -> Iterator[Mistake]:
    """Find the rules that never fire and the pairs that contradict each other.

    entries: all catalog entries, each with its component. open_kinds: see `rulefiles.load.load`.
    """
    rules = [replace(item, value=rule) for item in written for rule in expand_rule(item.value)]
    context = _RuleContext(rules, entries, open_kinds=open_kinds)
    for item in rules:
        for part, patterns in (("when", item.value.when), ("unless", item.value.unless)):
            for alias, pattern in patterns.items():
                placed = _PlacedPattern(pattern, part, item.value, context)
                for check in PATTERN_CHECKS:
                    for path, text in check(placed):
                        yield item.build_mistake((part, alias, *path), text)
        for path, text in _check_combinations(item.value):
            yield item.build_mistake(path, text)
    for index, text in find_cycles([item.value for item in rules]):
        yield rules[index].build_mistake((), text)
    for first, second in _pair_similar_rules(rules):
        if conflict := _describe_conflict(first, second):
            yield second.build_mistake(("then",), conflict)


def _check_combinations(rule: Rule) -> Iterator[Problem]:
    """A rule whose facts nothing joins would cost more than triage can bear, so it would be left out."""
    estimate = estimate_combinations(rule)
    if estimate > MAX_ESTIMATED_COMBINATIONS:
        text = (
            f"rule {rule.id} makes up to {estimate:,} combinations of facts at {ASSUMED_ALERTS:,} active "
            f"alerts, more than triage can bear ({MAX_ESTIMATED_COMBINATIONS:,}); {suggest_join(rule)}"
        )
        yield ("when", find_largest_pattern(rule)), text


class _RuleContext:
    """All rules and entries, which a pattern may refer to."""

    def __init__(
        self,
        rules: Sequence[SourceItem[Rule]],
        entries: Sequence[tuple[SourceItem[EntryBody], str]],
        *,
        open_kinds: bool,
    ) -> None:
        self.open_kinds = open_kinds
        self.rules = [item.value for item in rules]
        headers = [item.source.header for item in rules if item.source.header is not None]
        self.kinds = frozenset(kind for header in headers for kind in header.kinds)
        self.entries = {item.value.code: (item.value, component) for item, component in entries}
        self.graph = CauseGraph({code: entry.causes for code, (entry, _) in self.entries.items()})
        self.env_vars = {name for entry, _ in self.entries.values() for name in entry.fix.env_vars}


@dataclass(frozen=True)
class _PlacedPattern:
    """A pattern to check. part: `when` or `unless`, the part of the rule that has it."""

    pattern: Pattern
    part: str
    rule: Rule
    context: _RuleContext

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return self.pattern.root

    @property
    def kind(self) -> Condition | None:
        return self.conditions.get("kind")


def _check_kind(placed: _PlacedPattern) -> Iterator[Problem]:
    """A kind of facts that neither we nor, by `kinds` of a file, a plugin supplies.

    A plugin names its kinds only when it is asked for facts, so where one supplies any, only a kind that is
    nearly a known one is a mistake.
    """
    kind = placed.kind
    if isinstance(kind, str) and kind not in fact_schema.FIELDS_BY_KIND and kind not in placed.context.kinds:
        declared = f"correct it, or, if a plugin supplies them, write `kinds: [{kind}]` below `component`"
        nearest = suggest_nearest(kind, (*fact_schema.FIELDS_BY_KIND, *placed.context.kinds))
        if nearest or not placed.context.open_kinds:
            yield ("kind",), f"there are no facts of the kind '{kind}'{nearest or f'; {declared}'}"


def _check_comparisons(placed: _PlacedPattern) -> Iterator[Problem]:
    """A comparison that no value can pass; of several reasons the first one is reported."""
    for name, condition in placed.conditions.items():
        if isinstance(condition, Comparison):
            problems = (problem for check in COMPARISON_CHECKS for problem in check(condition))
            for path, text in problems:
                yield (name, *path), text
                break


def _check_joins(placed: _PlacedPattern) -> Iterator[Problem]:
    """A join to a field that its own pattern requires to be absent."""
    for name, condition in placed.conditions.items():
        join = parse_reference(condition)
        if join and placed.part == "when" and _requires_absence(join, placed.rule):
            text = f"{condition} never has a value: {join[0]} must have no {join[1]}; remove one of the two"
            yield (name,), text


def _check_alert_component(placed: _PlacedPattern) -> Iterator[Problem]:
    """An alert has the component and the category of its code's entry."""
    code = placed.conditions.get("code")
    if placed.kind != "alert" or not isinstance(code, str) or code not in placed.context.entries:
        return
    entry, component = placed.context.entries[code]
    for name, value in (("component", component), ("category", entry.category.value)):
        condition = placed.conditions.get(name)
        if _is_literal(condition) and condition != value:
            yield (name,), f"{code} has the {name} {value}, so this never fires; write {name}: {value}"


def _check_alert_catalogued(placed: _PlacedPattern) -> Iterator[Problem]:
    """An alert whose code is in the catalog is catalogued."""
    code = placed.conditions.get("code")
    is_catalogued = isinstance(code, str) and code in placed.context.entries
    if placed.kind == "alert" and is_catalogued and placed.conditions.get("catalogued") is False:
        yield ("catalogued",), f"{code} is in the catalog, so this never fires; remove one of the two"


def _check_edge(placed: _PlacedPattern) -> Iterator[Problem]:
    """There is an edge only where the catalog's causes lead from one code to the other."""
    cause, effect = placed.conditions.get("cause_code"), placed.conditions.get("effect_code")
    if placed.kind != "edge" or not (isinstance(cause, str) and isinstance(effect, str)):
        return
    has_both = {cause, effect} <= placed.context.entries.keys()
    if has_both and cause not in placed.context.graph.find_causes(effect):
        text = f"no entry's causes lead from {cause} to {effect}, so this never fires; add {effect} to them"
        yield ("effect_code",), text


def _check_env(placed: _PlacedPattern) -> Iterator[Problem]:
    """Only variables that an entry's fix names become facts."""
    variable = placed.conditions.get("name")
    if placed.kind != "env" or not _is_literal(variable) or variable in placed.context.env_vars:
        return
    hint = suggest_nearest(str(variable), placed.context.env_vars) or "; add it to the env_vars of an entry"
    yield ("name",), f"no entry's fix names {variable}, so it is not checked{hint}"


def _check_verdict(placed: _PlacedPattern) -> Iterator[Problem]:
    """There is a verdict only where a rule gives it."""
    if placed.kind != VERDICT_FACT_KIND:
        return
    rule_id = placed.conditions.get("rule")
    ids = [rule.id for rule in placed.context.rules]
    if _is_literal(rule_id) and rule_id not in ids:
        hint = suggest_nearest(str(rule_id), ids) or "; correct it"
        yield ("rule",), f"no rule has the id '{rule_id}'{hint}"
    elif not any(can_produce(rule, placed.pattern) for rule in placed.context.rules):
        yield (), "no rule gives such a verdict, so this never fires; correct it, or add the rule"


PATTERN_CHECKS: tuple[Callable[[_PlacedPattern], Iterator[Problem]], ...] = (
    _check_kind,
    _check_comparisons,
    _check_joins,
    _check_alert_component,
    _check_alert_catalogued,
    _check_edge,
    _check_env,
    _check_verdict,
)
"""Each yields the reasons why no fact can ever match a pattern."""


def _is_literal(condition: Condition | None) -> bool:
    return isinstance(condition, str) and not condition.startswith("$")


def _check_exists_alone(comparison: Comparison) -> Iterator[Problem]:
    if comparison.exists is False and comparison.present_tests - {"exists"}:
        yield ("exists",), "a field without a value passes no other test; remove one of the tests"


def _check_options(comparison: Comparison) -> Iterator[Problem]:
    fixed = comparison.fixed
    if fixed and fixed.in_ and not any(compile_predicate(fixed)(value) for value in fixed.in_):
        yield ("in",), "no value of the list passes the other tests; correct the list or the tests"


def _check_text_as_number(comparison: Comparison) -> Iterator[Problem]:
    numeric = comparison.present_tests.intersection(_NUMERIC_OPERATORS)
    if comparison.matches is not None and numeric:
        test = _format_comparison(comparison, min(numeric))
        yield ("matches",), f"a text is never {test}; remove one of the tests"


def _check_range(comparison: Comparison) -> Iterator[Problem]:
    limits = comparison.limits
    low = max((limits[name] for name in ("gt", "gte") if name in limits), default=None)
    high = min((limits[name] for name in ("lt", "lte") if name in limits), default=None)
    if low is None or high is None:
        return
    strict = low == limits.get("gt") or high == limits.get("lt")
    if low > high or (low == high and strict):
        first = "gt" if limits.get("gt") == low else "gte"
        second = "lt" if limits.get("lt") == high else "lte"
        lower, upper = _format_comparison(comparison, first), _format_comparison(comparison, second)
        yield (second,), f"no number is both {lower} and {upper}; correct one of them"


COMPARISON_CHECKS: tuple[Callable[[Comparison], Iterator[Problem]], ...] = (
    _check_exists_alone,
    _check_options,
    _check_text_as_number,
    _check_range,
)
"""Each yields the reason why no value can ever pass a comparison."""


def _format_comparison(comparison: Comparison, operator: str) -> str:
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return f"{signs[operator]} {getattr(comparison, operator)}"


def _requires_absence(join: tuple[str, str], rule: Rule) -> bool:
    other = rule.when.get(join[0])
    condition = other.root.get(join[1]) if other else None
    return isinstance(condition, Comparison) and condition.exists is False


def _pair_similar_rules(
    rules: Sequence[SourceItem[Rule]],
) -> Iterator[tuple[SourceItem[Rule], SourceItem[Rule]]]:
    """Pair the rules of one priority that look for the same facts, under any names."""
    groups: dict[str, list[SourceItem[Rule]]] = {}
    for item in rules:
        groups.setdefault(f"{item.value.priority} {_to_canonical_form(item.value)}", []).append(item)
    for group in groups.values():
        # The alternatives of one rule do not contradict each other.
        yield from ((one, other) for one, other in combinations(group, 2) if one.raw is not other.raw)


def _to_canonical_form(rule: Rule) -> str:
    """Return what a rule looks for, with its names replaced by their positions."""
    alias_indexes = {name: str(index) for index, name in enumerate(rule.when)}

    def canonicalize_pattern(pattern: Pattern) -> dict[str, Any]:
        plain: dict[str, Any] = pattern.model_dump(mode="json", exclude_none=True)
        for field, condition in pattern.root.items():
            if join := parse_reference(condition):
                plain[field] = ["join", alias_indexes.get(join[0], join[0]), join[1]]
        return plain

    unless = sorted(
        json.dumps(canonicalize_pattern(pattern), sort_keys=True) for pattern in rule.unless.values()
    )
    return json.dumps(
        [[canonicalize_pattern(pattern) for pattern in rule.when.values()], unless], sort_keys=True
    )


def _describe_conflict(first: SourceItem[Rule], second: SourceItem[Rule]) -> str | None:
    """Describe what is wrong with two rules that fire together: they contradict or repeat each other."""
    location = f"{first.value.id} ({first.source.path}:{first.line})"
    first_claims, second_claims = _collect_claims(first.value), _collect_claims(second.value)
    if first_claims == second_claims:
        return f"rule {second.value.id} repeats {location}; remove one of them"
    for topic, claim in second_claims.items():
        if topic in first_claims and first_claims[topic] != claim:
            kind, alert_index = topic
            alias = list(second.value.when)[int(alert_index)]
            claims = f"{_format_claim(kind, first_claims[topic])} and {_format_claim(kind, claim)}"
            return (
                f"rule {second.value.id} contradicts {location}: for the same facts they claim of ${alias} "
                f"{claims}; give one a higher priority, or correct it"
            )
    return None


def _collect_claims(rule: Rule) -> dict[tuple[str, str], str]:
    """Collect what a rule claims, by topic and position of the alert."""
    alias_indexes = {f"${name}": str(index) for index, name in enumerate(rule.when)}
    claims: dict[tuple[str, str], str] = {}
    for then in rule.then:
        for topic, claim in _iter_claims(then, alias_indexes):
            claims[(topic, alias_indexes.get(then.verdict.of, "0"))] = claim
    return claims


def _iter_claims(then: Then, alias_indexes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    verdict = then.verdict.model_dump(mode="json", exclude_none=True)
    if then.kind is VerdictKind.ROOT_CAUSE:
        yield "cause", "that it is a root"
    elif then.kind is VerdictKind.CASCADE:
        yield "cause", f"that fact {alias_indexes.get(verdict['by'], '?')} causes it"
    elif then.kind in {VerdictKind.SUPPRESS, VerdictKind.KNOWN_GOOD}:
        yield then.kind.value, "yes"
    else:
        for name in sorted(verdict.keys() - {"of", "reason"}):
            yield name, json.dumps(verdict[name])


def _format_claim(topic: str, claim: str) -> str:
    return claim if topic == "cause" else f"{topic} {claim}"
