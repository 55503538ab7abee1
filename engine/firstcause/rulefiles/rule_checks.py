"""Rules that are well-formed and can still not work: they never fire, or they contradict each other."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

from firstcause.core.model import VerdictKind
from firstcause.core.root_cause.graphs import CauseGraph
from firstcause.inference.language import Comparison, Condition, Pattern, Rule, Then
from firstcause.inference.predicates import predicate
from firstcause.inference.stratification import KIND, circles, gives
from firstcause.inference.variables import reference
from firstcause.rulefiles import fact_schema
from firstcause.rulefiles.validation_messages import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firstcause.core.catalog import EntryBody
    from firstcause.errors import Mistake
    from firstcause.rulefiles.rule_file import Item
    from firstcause.rulefiles.yaml_reader import Path

Trouble = tuple["Path", str]
"""Where within a rule, and what is wrong there with the mend."""

_NUMBERS = ("gt", "gte", "lt", "lte")


def rule_mistakes(
    rules: Sequence[Item[Rule]], entries: Sequence[tuple[Item[EntryBody], str]]
) -> Iterator[Mistake]:
    """entries: each with its component."""
    known = _Known(rules, entries)
    for item in rules:
        for part, patterns in (("when", item.value.when), ("unless", item.value.unless)):
            for name, pattern in patterns.items():
                for path, text in _never(pattern, part, item.value, known):
                    yield item.mistake((part, name, *path), text)
    for number, text in circles([item.value for item in rules]):
        yield rules[number].mistake((), text)
    for one, other in _alike(rules):
        if clash := _clash(one, other):
            yield other.mistake(("then",), clash)


class _Known:
    """What there is to look for."""

    def __init__(self, rules: Sequence[Item[Rule]], entries: Sequence[tuple[Item[EntryBody], str]]) -> None:
        self.rules = [item.value for item in rules]
        self.entries = {item.value.code: (item.value, component) for item, component in entries}
        self.graph = CauseGraph({code: entry.causes for code, (entry, _) in self.entries.items()})
        self.env_vars = {name for entry, _ in self.entries.values() for name in entry.fix.env_vars}


def _never(pattern: Pattern, part: str, rule: Rule, known: _Known) -> Iterator[Trouble]:
    """Why no fact can ever be what the pattern looks for."""
    kind = pattern.root.get("kind")
    if (
        isinstance(kind, str)
        and kind not in fact_schema.FIELDS
        and (mend := nearest(kind, fact_schema.FIELDS))
    ):
        yield ("kind",), f"no facts of the kind '{kind}'{mend}"
    for name, test in pattern.root.items():
        if isinstance(test, Comparison):
            yield from (((name, *path), text) for path, text in _empty(test))
        elif (joined := reference(test)) and part == "when" and _missing(joined, rule):
            text = f"{test} is never there: {joined[0]} asks for no {joined[1]}; remove one of the two"
            yield (name,), text
    match kind:
        case "alert":
            yield from _unlike_its_entry(pattern.root, known)
        case "edge":
            yield from _no_way(pattern.root, known)
        case "env":
            variable = pattern.root.get("name")
            if _is_word(variable) and variable not in known.env_vars:
                mend = nearest(str(variable), known.env_vars) or "; add it to the env_vars of an entry's fix"
                yield ("name",), f"no entry's fix names {variable}, so nobody looks for it{mend}"
        case "verdict":
            yield from _nobody_says(pattern, known)


def _is_word(test: Condition | None) -> bool:
    return isinstance(test, str) and not test.startswith("$")


def _empty(test: Comparison) -> Iterator[Trouble]:
    """A comparison that no value passes."""
    if test.exists is False and test.given - {"exists"}:
        yield ("exists",), "a field without a value passes no other test; remove one of them"
        return
    if test.in_ and not any(predicate(test)(each) for each in test.in_):
        yield ("in",), "none of these passes the other tests beside it; correct the list or the tests"
        return
    numeric = test.given.intersection(_NUMBERS)
    if test.matches is not None and numeric:
        yield ("matches",), f"a text is never {_said(test, min(numeric))}; remove one of them"
        return
    low = max((limit for limit in (test.gt, test.gte) if limit is not None), default=None)
    high = min((limit for limit in (test.lt, test.lte) if limit is not None), default=None)
    if low is None or high is None:
        return
    strict = low in {test.gt} - {None} or high in {test.lt} - {None}
    if low > high or (low == high and strict):
        first = "gt" if test.gt == low else "gte"
        second = "lt" if test.lt == high else "lte"
        text = f"nothing is both {_said(test, first)} and {_said(test, second)}; correct one of them"
        yield (second,), text


def _said(test: Comparison, word: str) -> str:
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return f"{signs[word]} {getattr(test, word)}"


def _missing(joined: tuple[str, str], rule: Rule) -> bool:
    other = rule.when.get(joined[0])
    test = other.root.get(joined[1]) if other else None
    return isinstance(test, Comparison) and test.exists is False


def _unlike_its_entry(tests: Mapping[str, Condition], known: _Known) -> Iterator[Trouble]:
    """An alert has the component and the category of its code's entry."""
    code = tests.get("code")
    if not isinstance(code, str) or code not in known.entries:
        return
    entry, component = known.entries[code]
    for name, value in (("component", component), ("category", entry.category.value)):
        test = tests.get(name)
        if _is_word(test) and test != value:
            yield (name,), f"{code} is of the {name} {value}, so this never fires; write {name}: {value}"
    if tests.get("catalogued") is False:
        yield ("catalogued",), f"{code} is in the catalog, so this never fires; remove one of the two"


def _no_way(tests: Mapping[str, Condition], known: _Known) -> Iterator[Trouble]:
    """An edge is there only where the catalog's causes lead from one code to the other."""
    cause, effect = tests.get("cause_code"), tests.get("effect_code")
    if not (isinstance(cause, str) and isinstance(effect, str) and {cause, effect} <= known.entries.keys()):
        return
    if cause not in known.graph.hops(effect):
        text = f"no entry's causes lead from {cause} to {effect}, so this never fires; add {effect} to them"
        yield ("effect_code",), text


def _nobody_says(pattern: Pattern, known: _Known) -> Iterator[Trouble]:
    name = pattern.root.get("rule")
    ids = [each.id for each in known.rules]
    if _is_word(name) and name not in ids:
        mend = nearest(str(name), ids) or "; correct it"
        yield ("rule",), f"no rule has the id '{name}'{mend}"
    elif not any(gives(each, pattern) for each in known.rules):
        yield (), f"no rule gives such a {KIND}, so this never fires; correct it, or add the rule"


def _alike(rules: Sequence[Item[Rule]]) -> Iterator[tuple[Item[Rule], Item[Rule]]]:
    """Pairs of rules of one priority that look for the same facts, whatever they call them."""
    groups: dict[str, list[Item[Rule]]] = {}
    for item in rules:
        groups.setdefault(f"{item.value.priority} {_plain(item.value)}", []).append(item)
    for group in groups.values():
        yield from combinations(group, 2)


def _plain(rule: Rule) -> str:
    """What a rule looks for, its names replaced by their numbers."""
    numbers = {name: str(number) for number, name in enumerate(rule.when)}

    def tests(pattern: Pattern) -> dict[str, Any]:
        plain: dict[str, Any] = pattern.model_dump(mode="json", exclude_none=True)
        for field, test in pattern.root.items():
            if joined := reference(test):
                plain[field] = ["join", numbers.get(joined[0], joined[0]), joined[1]]
        return plain

    unless = sorted(json.dumps(tests(each), sort_keys=True) for each in rule.unless.values())
    return json.dumps([[tests(each) for each in rule.when.values()], unless], sort_keys=True)


def _clash(one: Item[Rule], other: Item[Rule]) -> str | None:
    """What is wrong with two rules that fire together: they say opposite things, or the same."""
    where = f"{one.value.id} ({one.source.path}:{one.line})"
    said, says = _said_by(one.value), _said_by(other.value)
    if said == says:
        return f"rule {other.value.id} repeats {where}; remove one of them"
    for about, words in says.items():
        if about in said and said[about] != words:
            kind, number = about
            of = list(other.value.when)[int(number)]
            return (
                f"rule {other.value.id} contradicts {where}: of ${of} they say {_told(kind, said[about])} "
                f"and {_told(kind, words)} for the same facts; give one a higher priority, or correct it"
            )
    return None


def _said_by(rule: Rule) -> dict[tuple[str, str], str]:
    """(what it is about, number of the alert) -> what is said of it."""
    numbers = {f"${name}": str(number) for number, name in enumerate(rule.when)}
    said: dict[tuple[str, str], str] = {}
    for then in rule.then:
        for about, words in _claims(then, numbers):
            said[(about, numbers.get(then.verdict.of, "0"))] = words
    return said


def _claims(then: Then, numbers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    verdict = then.verdict.model_dump(mode="json", exclude_none=True)
    if then.kind is VerdictKind.ROOT_CAUSE:
        yield "cause", "that it is a root"
    elif then.kind is VerdictKind.CASCADE:
        yield "cause", f"that fact {numbers.get(verdict['by'], '?')} causes it"
    elif then.kind in {VerdictKind.SUPPRESS, VerdictKind.KNOWN_GOOD}:
        yield then.kind.value, "yes"
    else:
        for name in sorted(verdict.keys() - {"of", "reason"}):
            yield name, json.dumps(verdict[name])


def _told(about: str, words: str) -> str:
    return words if about == "cause" else f"{about} {words}"
