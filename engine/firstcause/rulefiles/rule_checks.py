"""Rules that are well-formed and can still not work: they never fire, or they contradict each other."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

from firstcause.core.model import VerdictKind
from firstcause.core.root_cause.graphs import CauseGraph
from firstcause.core.text.spelling import suggest_nearest
from firstcause.inference.language import Comparison, Condition, Pattern, Rule, Then
from firstcause.inference.predicates import compile_predicate
from firstcause.inference.stratification import VERDICT_FACT_KIND, can_produce, find_cycles
from firstcause.inference.variables import parse_reference
from firstcause.rulefiles import fact_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.core.catalog import EntryBody
    from firstcause.errors import Mistake
    from firstcause.rulefiles.rule_file import SourceItem
    from firstcause.rulefiles.yaml_reader import YamlPath

Problem = tuple["YamlPath", str]
"""Where within a rule, and what is wrong there with the mend."""

_NUMERIC_OPERATORS = ("gt", "gte", "lt", "lte")


def check_rules(
    rules: Sequence[SourceItem[Rule]], entries: Sequence[tuple[SourceItem[EntryBody], str]]
) -> Iterator[Mistake]:
    """entries: each with its component."""
    context = _RuleContext(rules, entries)
    for item in rules:
        for part, patterns in (("when", item.value.when), ("unless", item.value.unless)):
            for name, pattern in patterns.items():
                for path, text in _check_pattern(pattern, part, item.value, context):
                    yield item.build_mistake((part, name, *path), text)
    for index, text in find_cycles([item.value for item in rules]):
        yield rules[index].build_mistake((), text)
    for first, second in _pair_similar_rules(rules):
        if conflict := _describe_conflict(first, second):
            yield second.build_mistake(("then",), conflict)


class _RuleContext:
    """What there is to look for."""

    def __init__(
        self, rules: Sequence[SourceItem[Rule]], entries: Sequence[tuple[SourceItem[EntryBody], str]]
    ) -> None:
        self.rules = [item.value for item in rules]
        self.entries = {item.value.code: (item.value, component) for item, component in entries}
        self.graph = CauseGraph({code: entry.causes for code, (entry, _) in self.entries.items()})
        self.env_vars = {name for entry, _ in self.entries.values() for name in entry.fix.env_vars}


def _check_pattern(pattern: Pattern, part: str, rule: Rule, context: _RuleContext) -> Iterator[Problem]:
    """Why no fact can ever be what the pattern looks for."""
    kind = pattern.root.get("kind")
    if (
        isinstance(kind, str)
        and kind not in fact_schema.FIELDS_BY_KIND
        and (hint := suggest_nearest(kind, fact_schema.FIELDS_BY_KIND))
    ):
        yield ("kind",), f"no facts of the kind '{kind}'{hint}"
    for name, condition in pattern.root.items():
        if isinstance(condition, Comparison):
            yield from (((name, *path), text) for path, text in _check_comparison(condition))
        elif (join := parse_reference(condition)) and part == "when" and _requires_absence(join, rule):
            text = f"{condition} is never there: {join[0]} asks for no {join[1]}; remove one of the two"
            yield (name,), text
    match kind:
        case "alert":
            yield from _check_alert_pattern(pattern.root, context)
        case "edge":
            yield from _check_edge_pattern(pattern.root, context)
        case "env":
            variable = pattern.root.get("name")
            if _is_literal(variable) and variable not in context.env_vars:
                hint = (
                    suggest_nearest(str(variable), context.env_vars)
                    or "; add it to the env_vars of an entry's fix"
                )
                yield ("name",), f"no entry's fix names {variable}, so nobody looks for it{hint}"
        case "verdict":
            yield from _check_verdict_pattern(pattern, context)


def _is_literal(condition: Condition | None) -> bool:
    return isinstance(condition, str) and not condition.startswith("$")


def _check_comparison(comparison: Comparison) -> Iterator[Problem]:
    """A comparison that no value passes."""
    if comparison.exists is False and comparison.present_tests - {"exists"}:
        yield ("exists",), "a field without a value passes no other test; remove one of them"
        return
    if comparison.in_ and not any(compile_predicate(comparison)(value) for value in comparison.in_):
        yield ("in",), "none of these passes the other tests beside it; correct the list or the tests"
        return
    numeric = comparison.present_tests.intersection(_NUMERIC_OPERATORS)
    if comparison.matches is not None and numeric:
        yield (
            ("matches",),
            f"a text is never {_format_comparison(comparison, min(numeric))}; remove one of them",
        )
        return
    low = max((limit for limit in (comparison.gt, comparison.gte) if limit is not None), default=None)
    high = min((limit for limit in (comparison.lt, comparison.lte) if limit is not None), default=None)
    if low is None or high is None:
        return
    strict = low in {comparison.gt} - {None} or high in {comparison.lt} - {None}
    if low > high or (low == high and strict):
        first = "gt" if comparison.gt == low else "gte"
        second = "lt" if comparison.lt == high else "lte"
        text = f"nothing is both {_format_comparison(comparison, first)} and {_format_comparison(comparison, second)}; correct one of them"
        yield (second,), text


def _format_comparison(comparison: Comparison, operator: str) -> str:
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return f"{signs[operator]} {getattr(comparison, operator)}"


def _requires_absence(join: tuple[str, str], rule: Rule) -> bool:
    other = rule.when.get(join[0])
    condition = other.root.get(join[1]) if other else None
    return isinstance(condition, Comparison) and condition.exists is False


def _check_alert_pattern(conditions: Mapping[str, Condition], context: _RuleContext) -> Iterator[Problem]:
    """An alert has the component and the category of its code's entry."""
    code = conditions.get("code")
    if not isinstance(code, str) or code not in context.entries:
        return
    entry, component = context.entries[code]
    for name, value in (("component", component), ("category", entry.category.value)):
        condition = conditions.get(name)
        if _is_literal(condition) and condition != value:
            yield (name,), f"{code} is of the {name} {value}, so this never fires; write {name}: {value}"
    if conditions.get("catalogued") is False:
        yield ("catalogued",), f"{code} is in the catalog, so this never fires; remove one of the two"


def _check_edge_pattern(conditions: Mapping[str, Condition], context: _RuleContext) -> Iterator[Problem]:
    """An edge is there only where the catalog's causes lead from one code to the other."""
    cause, effect = conditions.get("cause_code"), conditions.get("effect_code")
    if not (isinstance(cause, str) and isinstance(effect, str) and {cause, effect} <= context.entries.keys()):
        return
    if cause not in context.graph.find_causes(effect):
        text = f"no entry's causes lead from {cause} to {effect}, so this never fires; add {effect} to them"
        yield ("effect_code",), text


def _check_verdict_pattern(pattern: Pattern, context: _RuleContext) -> Iterator[Problem]:
    name = pattern.root.get("rule")
    ids = [rule.id for rule in context.rules]
    if _is_literal(name) and name not in ids:
        hint = suggest_nearest(str(name), ids) or "; correct it"
        yield ("rule",), f"no rule has the id '{name}'{hint}"
    elif not any(can_produce(rule, pattern) for rule in context.rules):
        yield (
            (),
            f"no rule gives such a {VERDICT_FACT_KIND}, so this never fires; correct it, or add the rule",
        )


def _pair_similar_rules(
    rules: Sequence[SourceItem[Rule]],
) -> Iterator[tuple[SourceItem[Rule], SourceItem[Rule]]]:
    """Pairs of rules of one priority that look for the same facts, whatever they call them."""
    groups: dict[str, list[SourceItem[Rule]]] = {}
    for item in rules:
        groups.setdefault(f"{item.value.priority} {_to_canonical_form(item.value)}", []).append(item)
    for group in groups.values():
        yield from combinations(group, 2)


def _to_canonical_form(rule: Rule) -> str:
    """What a rule looks for, its names replaced by their numbers."""
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
    """What is wrong with two rules that fire together: they say opposite things, or the same."""
    location = f"{first.value.id} ({first.source.path}:{first.line})"
    first_claims, second_claims = _collect_claims(first.value), _collect_claims(second.value)
    if first_claims == second_claims:
        return f"rule {second.value.id} repeats {location}; remove one of them"
    for topic, claim in second_claims.items():
        if topic in first_claims and first_claims[topic] != claim:
            kind, alert_index = topic
            alias = list(second.value.when)[int(alert_index)]
            return (
                f"rule {second.value.id} contradicts {location}: of ${alias} they say {_format_claim(kind, first_claims[topic])} "
                f"and {_format_claim(kind, claim)} for the same facts; give one a higher priority, or correct it"
            )
    return None


def _collect_claims(rule: Rule) -> dict[tuple[str, str], str]:
    """(what it is about, number of the alert) -> what is said of it."""
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
