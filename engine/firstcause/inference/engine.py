"""Runs rules over facts: compile once, evaluate often, and say with each verdict what it came from."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from firstcause.core.model import Fact, Impact, Raised, Verdict
from firstcause.errors import InferenceUnavailableError, Mistake, RuleFileError
from firstcause.inference.compiler import Vocabulary, definition, validate
from firstcause.inference.durable_engine import RuleSet
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
from firstcause.inference.stratification import KIND, circles, strata
from firstcause.inference.variables import fill, reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

log = logging.getLogger("firstcause.inference")

SHARD = 200
"""Rules in one rule set: beyond about 500 durable-rules never returns from creating one."""


class Inference:
    """A set of rules, ready to run. Threads may share it: evaluations take turns.

    RuleFileError with every mistake where a rule is wrong (see `compiler.validate`). runs: how often they
    were evaluated.
    """

    def __init__(self, rules: Sequence[PlacedRule]) -> None:
        self._rules = tuple(rules)
        _refuse_wrong(self._rules)
        self._vocabulary = Vocabulary()
        self._lock = threading.Lock()
        self._complained: set[int] = set()
        self._closed = False
        self.runs = 0
        self._strata: list[list[RuleSet]] = []
        try:
            for numbers in strata([each.rule for each in self._rules]):
                self._strata.append([])
                for start in range(0, len(numbers), SHARD):
                    self._strata[-1].append(self._rule_set(numbers[start : start + SHARD]))
        except BaseException:
            self.close()
            raise

    def _rule_set(self, numbers: Sequence[int]) -> RuleSet:
        return RuleSet(
            {str(number): definition(self._rules[number].rule, self._vocabulary) for number in numbers}
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of facts that any rule looks at."""
        return frozenset(pattern.kind for pattern in self._patterns())

    def limits(self, kind: str, field: str) -> tuple[float, ...]:
        """The numbers that rules compare a field of such facts with, in order."""
        return self._limits.get((kind, field), ())

    @cached_property
    def _limits(self) -> dict[tuple[str, str], tuple[float, ...]]:
        found: dict[tuple[str, str], set[float]] = {}
        for pattern in self._patterns():
            for field, test in pattern.root.items():
                found.setdefault((pattern.kind, field), set()).update(_numbers(test))
        return {place: tuple(sorted(numbers)) for place, numbers in found.items()}

    def _patterns(self) -> Iterator[Pattern]:
        for each in self._rules:
            yield from (*each.rule.when.values(), *each.rule.unless.values())

    def evaluate(self, facts: Sequence[Fact]) -> list[Verdict]:
        """The verdicts of all rules on these facts, in the order of the rules, then by `of` and `by`.

        Each fact needs a `kind` and an `id`; of two with the same id the first counts. A verdict
        whose values make no sense (a priority P9) is left out, and a warning logged once a rule.
        """
        distinct: dict[str, Fact] = {}
        for fact in facts:
            distinct.setdefault(str(fact["id"]), fact)
        numbered = list(distinct.values())
        verdicts: list[tuple[int, Verdict]] = []
        with self._lock:
            if self._closed:
                msg = "these rules are closed; take the ones that replaced them"
                raise InferenceUnavailableError(msg)
            self.runs += 1
            for sets in self._strata:
                given = self._run(sets, numbered)
                numbered += [verdict_fact(each, distinct) for _rule, each in given]
                verdicts += given
        return [verdict for _rule, verdict in sorted(verdicts, key=lambda pair: pair[0])]

    def _run(self, sets: Sequence[RuleSet], facts: Sequence[Fact]) -> list[tuple[int, Verdict]]:
        """The verdicts of one stratum, each with the number of its rule."""
        told = self._vocabulary.assertable(facts)
        matches = [match for each in sets for match in each.run(told)]
        matched = sorted((int(rule), sorted(ids.items())) for rule, ids in matches)
        return [
            (rule, verdict)
            for rule, ids in _together(matched)
            for verdict in self._in_order(rule, ids, facts)
        ]

    def _in_order(
        self, number: int, found: Sequence[Sequence[tuple[str, str]]], facts: Sequence[Fact]
    ) -> list[Verdict]:
        placed = self._rules[number]
        names = dict(zip((f"A{n}" for n in range(len(placed.rule.when))), placed.rule.when, strict=True))
        verdicts = [
            verdict
            for ids in found
            for verdict in self._verdicts(
                number, {names[short]: facts[int(fact)] for short, fact in ids if short in names}
            )
        ]
        return sorted(verdicts, key=lambda verdict: (verdict.of, verdict.by or ""))

    def _verdicts(self, number: int, matched: Mapping[str, Fact]) -> Iterator[Verdict]:
        for then in self._rules[number].rule.then:
            try:
                yield _verdict(self._rules[number], then, matched)
            except ValidationError as error:
                self._complain(number, error)

    def _complain(self, number: int, error: ValidationError) -> None:
        if number in self._complained:
            return
        self._complained.add(number)
        placed, first = self._rules[number], error.errors(include_url=False)[0]
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


def _numbers(test: Condition) -> Iterator[float]:
    given: tuple[Literal | None, ...]
    if isinstance(test, Comparison):
        given = (test.gt, test.gte, test.lt, test.lte, *(test.in_ or ()))
    else:
        given = (test,)
    for value in given:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def _refuse_wrong(rules: Sequence[PlacedRule]) -> None:
    mistakes = [
        Mistake(each.file, each.line, 0, f"rule {each.rule.id}: {'.'.join(map(str, place))}: {text}")
        for each in rules
        for place, text in validate(each.rule)
    ]
    mistakes += [
        Mistake(rules[number].file, rules[number].line, 0, text)
        for number, text in circles([each.rule for each in rules])
    ]
    if mistakes:
        raise RuleFileError(mistakes)


def verdict_fact(verdict: Verdict, facts: Mapping[str, Fact]) -> Fact:
    """A verdict as a fact for later rules. facts: by id, those that it may be about."""
    fact: Fact = {
        "kind": KIND,
        "id": verdict.fact_id,
        "verdict": verdict.verdict.value,
        "rule": verdict.rule,
        "of": verdict.of,
        "by": verdict.by,
        "code": facts[verdict.of].get("code"),
        "by_code": facts[verdict.by].get("code") if verdict.by else None,
        "reason": verdict.because,
        "confidence": verdict.confidence,
        "priority": verdict.priority,
    }
    return {name: value for name, value in fact.items() if value is not None}


def _together(
    matched: Sequence[tuple[int, list[tuple[str, str]]]],
) -> Iterator[tuple[int, list[list[tuple[str, str]]]]]:
    by_rule: dict[int, list[list[tuple[str, str]]]] = {}
    for rule, ids in matched:
        by_rule.setdefault(rule, []).append(ids)
    yield from by_rule.items()


def _verdict(placed: PlacedRule, then: Then, matched: Mapping[str, Fact]) -> Verdict:
    said = then.verdict
    by = str(matched[said.by.removeprefix("$")]["id"]) if isinstance(said, Cascade) else None
    return Verdict(
        rule=placed.rule.id,
        file=placed.file,
        line=placed.line,
        verdict=then.kind,
        of=str(matched[said.of.removeprefix("$")]["id"]),
        by=by,
        because=fill(said.reason or placed.rule.about, matched),
        confidence=said.confidence if isinstance(said, RootCause | Cascade) else 1.0,
        priority=placed.rule.priority,
        impact=_impact(said, matched) if isinstance(said, ImpactVerdict) else None,
        raises=_raised(said, matched) if isinstance(said, Regression | Predict) else None,
        facts=dict(matched),
    )


def _raised(said: Regression | Predict, matched: Mapping[str, Fact]) -> Raised:
    advice = said.rollback if isinstance(said, Regression) else None
    rollback = fill(advice, matched) if advice else None
    return Raised(code=said.code, severity=said.severity, rollback=rollback)


def _impact(said: ImpactVerdict, matched: Mapping[str, Fact]) -> Impact:
    values = {name: _resolved(value, matched) for name, value in said if name not in {"of", "reason"}}
    if isinstance(values.get("features"), str):
        values["features"] = [values["features"]]
    return Impact.model_validate({name: value for name, value in values.items() if value is not None})


def _resolved(value: object, matched: Mapping[str, Fact]) -> object:
    joined = reference(value)
    return matched[joined[0]].get(joined[1]) if joined else value
