"""Runs rules over facts: compiles once, evaluates often, and keeps the matched facts with each verdict."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from firstcause.core.fact_kinds import VerdictFact
from firstcause.core.model import Fact, Impact, RaisedError, Verdict
from firstcause.core.text.durations import format_duration
from firstcause.errors import InferenceUnavailableError, Mistake, RuleFileError
from firstcause.inference.combination_estimate import suggest_join
from firstcause.inference.compiler import Vocabulary, compile_rule, validate_rule
from firstcause.inference.expansion import expand_rules
from firstcause.inference.language import (
    Cascade,
    Comparison,
    Condition,
    ImpactVerdict,
    Literal,
    Pattern,
    PlacedRule,
    Predict,
    Regression,
    RootCause,
    Then,
)
from firstcause.inference.limited_rules import REST, LimitedRule, LimitedRules
from firstcause.inference.relations import compile_relations
from firstcause.inference.rule_group import RuleGroup
from firstcause.inference.rule_sets import MAX_BRANCHES, allot_rules
from firstcause.inference.stratification import could_match, find_cycles, stratify
from firstcause.inference.variables import fill_template, parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from firstcause.inference.match_bounds import Excess
    from firstcause.inference.rule_sets import AllottedSet

log = logging.getLogger("firstcause.inference")


@dataclass(frozen=True)
class SetLimits:
    """How near the rules are to what one rule set bears.

    sets: rule sets. rules: in the largest of them. branches: that one fact can pass, in the fullest of them,
    of max_branches.
    """

    sets: int
    rules: int
    branches: int
    max_branches: int = MAX_BRANCHES


class Inference:
    """A compiled set of rules. Threads may share it; only one evaluation runs at a time.

    RuleFileError: has every mistake of the rules (see `compiler.validate_rule`). evaluation_count: how often
    the rules were evaluated. observe: called with the facts and the verdicts of each evaluation, if set.
    """

    def __init__(self, rules: Sequence[PlacedRule]) -> None:
        _reject_invalid(rules)
        self._rules = tuple(expand_rules(rules))
        self._relations = [compile_relations(placed.rule) for placed in self._rules]
        self._vocabulary = Vocabulary()
        self._lock = threading.Lock()
        self._warned_rules: set[int] = set()
        self._closed = False
        self.evaluation_count = 0
        self.observe: Callable[[Sequence[Fact], Sequence[Verdict]], None] | None = None
        self.limited_rules = LimitedRules()
        self._strata: list[list[RuleGroup]] = []
        try:
            allotted = _allot_strata(self._rules, self._vocabulary)
            self.limits_of_sets = _measure_limits(allotted)
            for sets in allotted:
                self._strata.append([])
                for rule_set in sets:
                    self._strata[-1].append(RuleGroup(rule_set.rules))
        except BaseException:
            self.close()
            raise

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of facts that rules look at."""
        return frozenset(pattern.kind for pattern in self._iterate_patterns())

    def can_take(self, kind: str, known_fields: Mapping[str, Literal]) -> bool:
        """Whether a rule may take a fact of the kind with these fields, whatever its other fields are."""
        return any(
            pattern.kind == kind and could_match(pattern.root, known_fields)
            for pattern in self._iterate_patterns()
        )

    def limits(self, kind: str, field: str) -> tuple[float, ...]:
        """Return the numbers that rules compare a field of such facts with, in order."""
        return self._limits_by_field.get((kind, field), ())

    @cached_property
    def _limits_by_field(self) -> dict[tuple[str, str], tuple[float, ...]]:
        limits: dict[tuple[str, str], set[float]] = {}
        for pattern in self._iterate_patterns():
            for field, test in pattern.root.items():
                limits.setdefault((pattern.kind, field), set()).update(_select_numbers(test))
        return {key: tuple(sorted(values)) for key, values in limits.items()}

    def _iterate_patterns(self) -> Iterator[Pattern]:
        for placed in self._rules:
            yield from (*placed.rule.when.values(), *placed.rule.unless.values())

    def evaluate(
        self, facts: Sequence[Fact], now: datetime | None = None, scope: str | None = None
    ) -> list[Verdict]:
        """Return the verdicts of all rules on these facts, in the order of the rules, then by `of` and `by`.

        Each fact needs a `kind` and an `id`; of two with the same id the first counts. A verdict
        whose values make no sense (a priority P9) is left out, and a warning logged once a rule.

        A rule that would make too many combinations of facts is left out, and then switched off in the scope
        for `limited_rules.REST`; without `now`, it is left out only here. scope: the tenant, None for the
        platform.
        """
        distinct: dict[str, Fact] = {}
        for fact in facts:
            distinct.setdefault(str(fact["id"]), fact)
        known_facts = list(distinct.values())
        verdicts: list[tuple[int, Verdict]] = []
        with self._lock:
            if self._closed:
                msg = "these rules are closed; use the rules that replaced them"
                raise InferenceUnavailableError(msg)
            self.evaluation_count += 1
            switched_off = self.limited_rules.list_off(scope, now) if now is not None else set()
            excesses: list[Excess] = []
            for groups in self._strata:
                stratum_verdicts = self._run_stratum(groups, known_facts, switched_off, excesses)
                known_facts += [verdict_fact(verdict, distinct) for _rule, verdict in stratum_verdicts]
                verdicts += stratum_verdicts
        if now is not None:
            for excess in excesses:
                self._switch_off(excess, now, scope)
            self.limited_rules.end_rests(scope, now)
        ordered = self._order_verdicts(verdicts)
        if self.observe is not None:
            self.observe(known_facts, ordered)
        return ordered

    def _order_verdicts(self, verdicts: Sequence[tuple[int, Verdict]]) -> list[Verdict]:
        """Order verdicts by their rules; of those that alternatives of one rule give alike, one is kept."""
        ordered: list[Verdict] = []
        known: set[tuple[object, ...]] = set()
        for _index, verdict in sorted(verdicts, key=lambda pair: pair[0]):
            if verdict.rule in self._rules_with_alternatives:
                matched = tuple((name, fact["id"]) for name, fact in verdict.facts.items())
                key = (verdict.rule, verdict.verdict, verdict.of, verdict.by, verdict.because, matched)
                if key in known:
                    continue
                known.add(key)
            ordered.append(verdict)
        return ordered

    @cached_property
    def _rules_with_alternatives(self) -> frozenset[str]:
        counts = Counter(placed.rule.id for placed in self._rules)
        return frozenset(rule_id for rule_id, count in counts.items() if count > 1)

    def _run_stratum(
        self,
        groups: Sequence[RuleGroup],
        facts: Sequence[Fact],
        switched_off: Collection[int],
        excesses: list[Excess],
    ) -> list[tuple[int, Verdict]]:
        """Return the verdicts of one stratum, each with the index of its rule; add the rules that ran out."""
        asserted = self._vocabulary.encode_facts(facts)
        matched: list[tuple[int, list[tuple[str, str]]]] = []
        for group in groups:
            matches, group_excesses = group.run(asserted, switched_off)
            matched += [(int(rule), sorted(ids.items())) for rule, ids in matches]
            excesses += group_excesses
        return [
            (rule, verdict)
            for rule, ids in _group_by_rule(sorted(matched))
            for verdict in self._build_verdicts(rule, ids, facts)
        ]

    def _switch_off(self, excess: Excess, now: datetime, scope: str | None) -> None:
        placed = self._rules[excess.rule_index]
        limited = LimitedRule(
            placed.rule.id, placed.file, placed.line, scope, excess.limit, since=now, until=now + REST
        )
        if self.limited_rules.switch_off(excess.rule_index, limited):
            log.warning(
                "%s:%d: rule %s: switched off for %s in the scope of %s, as it would make more than %d "
                "combinations of facts; %s",
                placed.file,
                placed.line,
                placed.rule.id,
                format_duration(REST.total_seconds()),
                f"tenant {scope}" if scope is not None else "the platform",
                excess.limit,
                suggest_join(placed.rule),
            )

    def _build_verdicts(
        self, rule_index: int, matches: Sequence[Sequence[tuple[str, str]]], facts: Sequence[Fact]
    ) -> list[Verdict]:
        placed = self._rules[rule_index]
        relations = self._relations[rule_index]
        facts_by_kind: dict[str, list[Fact]] = {}
        for fact in facts if relations.unless else ():
            facts_by_kind.setdefault(str(fact["kind"]), []).append(fact)
        names = dict(zip((f"A{n}" for n in range(len(placed.rule.when))), placed.rule.when, strict=True))
        found = ({names[short]: facts[int(fact)] for short, fact in ids if short in names} for ids in matches)
        verdicts = [
            verdict
            for matched in found
            if not relations.needed or relations.hold(matched, facts_by_kind)
            for verdict in self._derive_verdicts(rule_index, matched)
        ]
        return sorted(verdicts, key=lambda verdict: (verdict.of, verdict.by or ""))

    def _derive_verdicts(self, rule_index: int, matched: Mapping[str, Fact]) -> Iterator[Verdict]:
        for then in self._rules[rule_index].rule.then:
            try:
                yield _build_verdict(self._rules[rule_index], then, matched)
            except ValidationError as error:
                self._warn_once(rule_index, error)

    def _warn_once(self, rule_index: int, error: ValidationError) -> None:
        if rule_index in self._warned_rules:
            return
        self._warned_rules.add(rule_index)
        placed, first = self._rules[rule_index], error.errors(include_url=False)[0]
        log.warning(
            "%s:%d: rule %s: %s: %s; this verdict is left out",
            placed.file,
            placed.line,
            placed.rule.id,
            ".".join(map(str, first["loc"])),
            first["msg"],
        )

    def close(self) -> None:
        """Free the rule engine's memory. A second call does nothing."""
        with self._lock:
            self._closed = True
            for sets in self._strata:
                while sets:
                    sets.pop().close()


def _allot_strata(rules: Sequence[PlacedRule], vocabulary: Vocabulary) -> list[list[AllottedSet]]:
    return [
        allot_rules({index: compile_rule(rules[index].rule, vocabulary) for index in indexes})
        for indexes in stratify([placed.rule for placed in rules])
    ]


def _measure_limits(strata: Sequence[Sequence[AllottedSet]]) -> SetLimits:
    sets = [allotted for stratum in strata for allotted in stratum]
    return SetLimits(
        len(sets),
        max((len(allotted.rules) for allotted in sets), default=0),
        max((allotted.branches for allotted in sets), default=0),
    )


def measure_limits(rules: Sequence[PlacedRule]) -> SetLimits:
    """Measure how near valid rules are to what one rule set bears, without making the sets."""
    return _measure_limits(_allot_strata(expand_rules(rules), Vocabulary()))


def _select_numbers(test: Condition) -> Iterator[float]:
    values: tuple[Literal | None, ...]
    if isinstance(test, Comparison):
        values = (*test.limits.values(), *(test.in_ or ()), *(test.not_in or ()), test.not_)
    else:
        values = () if isinstance(test, tuple) else (test,)
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def _reject_invalid(rules: Sequence[PlacedRule]) -> None:
    mistakes = [
        Mistake(placed.file, placed.line, 0, f"rule {placed.rule.id}: {'.'.join(map(str, location))}: {text}")
        for placed in rules
        for location, text in validate_rule(placed.rule)
    ]
    plain = expand_rules(rules) if not mistakes else []
    mistakes += [
        Mistake(plain[index].file, plain[index].line, 0, text)
        for index, text in find_cycles([placed.rule for placed in plain])
    ]
    if mistakes:
        raise RuleFileError(mistakes)


def verdict_fact(verdict: Verdict, facts: Mapping[str, Fact]) -> Fact:
    """Build the fact that a verdict is to later rules. facts: by id, those that the verdict may be about."""
    return VerdictFact(
        id=verdict.fact_id,
        verdict=verdict.verdict,
        rule=verdict.rule,
        of=verdict.of,
        by=verdict.by,
        code=_find_code(verdict.of, facts),
        by_code=_find_code(verdict.by, facts) if verdict.by else None,
        reason=verdict.because,
        confidence=verdict.confidence,
        priority=verdict.priority,
    ).to_fact()


def _find_code(fact_id: str, facts: Mapping[str, Fact]) -> str | None:
    code = facts[fact_id].get("code")
    return None if code is None else str(code)


def _group_by_rule(
    matched: Sequence[tuple[int, list[tuple[str, str]]]],
) -> Iterator[tuple[int, list[list[tuple[str, str]]]]]:
    by_rule: dict[int, list[list[tuple[str, str]]]] = {}
    for rule, ids in matched:
        by_rule.setdefault(rule, []).append(ids)
    yield from by_rule.items()


def _build_verdict(placed: PlacedRule, then: Then, matched: Mapping[str, Fact]) -> Verdict:
    spec = then.verdict
    by = str(matched[spec.by.removeprefix("$")]["id"]) if isinstance(spec, Cascade) else None
    return Verdict(
        rule=placed.rule.id,
        file=placed.file,
        line=placed.line,
        verdict=then.kind,
        of=str(matched[spec.of.removeprefix("$")]["id"]),
        by=by,
        because=fill_template(spec.reason or placed.rule.about, matched),
        confidence=spec.confidence if isinstance(spec, RootCause | Cascade) else 1.0,
        priority=placed.rule.priority,
        across_tenants=isinstance(spec, Cascade) and spec.across_tenants,
        impact=_build_impact(spec, matched) if isinstance(spec, ImpactVerdict) else None,
        raises=_build_raised(spec, matched) if isinstance(spec, Regression | Predict) else None,
        facts=dict(matched),
    )


def _build_raised(spec: Regression | Predict, matched: Mapping[str, Fact]) -> RaisedError:
    advice = spec.rollback if isinstance(spec, Regression) else None
    rollback = fill_template(advice, matched) if advice else None
    return RaisedError(code=spec.code, severity=spec.severity, rollback=rollback)


def _build_impact(spec: ImpactVerdict, matched: Mapping[str, Fact]) -> Impact:
    values = {
        name: _resolve_reference(value, matched) for name, value in spec if name not in {"of", "reason"}
    }
    if isinstance(values.get("features"), str):
        values["features"] = [values["features"]]
    return Impact.model_validate({name: value for name, value in values.items() if value is not None})


def _resolve_reference(value: object, matched: Mapping[str, Fact]) -> object:
    join = parse_reference(value)
    return matched[join[0]].get(join[1]) if join else value
