"""Runs compiled rules over facts. The only module that knows durable-rules."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from firstcause.core.model import Fact, FactValue, Impact, Verdict
from firstcause.errors import InferenceUnavailableError
from firstcause.inference.compiler import GATE, KIND, Marks, definition, fill, joined_fields, reference
from firstcause.inference.language import Cascade, ImpactVerdict, PlacedRule, RootCause, Then

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("firstcause.inference")

SHARD = 200
"""Rules in one rule set: beyond about 500 durable-rules never returns from creating one."""

_numbers = itertools.count(1)
_LONGEST = 4096


def _durable() -> tuple[Any, Any]:
    try:
        import durable_rules_engine  # noqa: PLC0415 - where it is missing we say how to mend it
        from durable.engine import Ruleset  # noqa: PLC0415
    except ImportError as error:
        flags = '"-DPyEval_CallObject=PyObject_CallObject"'
        again = "pip install --no-cache-dir --force-reinstall durable-rules"
        mend = f"CPPFLAGS={flags} {again}" if sys.version_info >= (3, 13) else f"a C compiler, then: {again}"
        msg = f"the rule engine durable-rules does not load here ({error}); mend it with: {mend}"
        raise InferenceUnavailableError(msg) from error
    return Ruleset, durable_rules_engine


class Inference:
    """A set of rules, ready to run. Evaluations take turns; each has a session of its own."""

    def __init__(self, rules: Sequence[PlacedRule]) -> None:
        self._rules = tuple(rules)
        self._marks = Marks()
        self._joined = {name for placed in rules for name in joined_fields(placed.rule)}
        self._matched: list[tuple[int, dict[str, str]]] = []
        self._lock = threading.Lock()
        self._complained: set[str] = set()
        ruleset, self._native = _durable()
        self._sets = [
            self._rule_set(ruleset, range(start, min(start + SHARD, len(self._rules))))
            for start in range(0, len(self._rules), SHARD)
        ]

    def _rule_set(self, ruleset: Any, numbers: range) -> Any:
        definitions = {}
        for number in numbers:
            rule = self._rules[number].rule
            definitions[f"r{number}"] = definition(rule, self._marks) | {
                "run": self._action(number, list(rule.when))
            }
        # A fact that no rule of the set takes would be refused: this one takes every fact.
        definitions["any"] = {"all": [{"m": {"$ex": {KIND: 1}}}], "pri": 1000, "run": _nothing}
        return ruleset(f"firstcause-{next(_numbers)}", None, definitions)

    def _action(self, number: int, names: Sequence[str]) -> Callable[[Any], None]:
        # durable-rules swallows what an action raises, so an action only takes down what matched.
        def matched(closure: Any) -> None:
            self._matched.append((number, {name: str(closure._m[name]["id"]) for name in names}))  # noqa: SLF001

        return matched

    def evaluate(self, facts: Sequence[Fact]) -> list[Verdict]:
        """The verdicts of all rules on these facts, in the order of the rules.

        Each fact needs a `kind` and an `id`; of two with the same id the first counts.
        """
        by_id: dict[str, Fact] = {}
        for fact in facts:
            by_id.setdefault(str(fact["id"]), fact)
        asserted = [self._asserted(fact) for fact in by_id.values()]
        with self._lock:
            self._matched.clear()
            for each in self._sets:
                self._run(each, asserted)
            matched = sorted(self._matched, key=lambda match: (match[0], sorted(match[1].items())))
        return [
            verdict
            for number, names in matched
            for verdict in self._verdicts(
                self._rules[number], {name: by_id[key] for name, key in names.items()}
            )
        ]

    def _asserted(self, fact: Fact) -> dict[str, Any]:
        joins = {f"f_{name}": _plain(fact[name]) for name in self._joined if fact.get(name) is not None}
        return {KIND: str(fact["kind"]), "id": str(fact["id"]), **joins, **self._marks.of(fact)}

    def _run(self, rule_set: Any, asserted: Sequence[Mapping[str, Any]]) -> None:
        sid = f"s{next(_numbers)}"
        try:
            for fact in (*asserted, {KIND: GATE, "id": GATE}):
                state = rule_set.assert_fact({**fact, "sid": sid})
                rule_set.do_actions(state, _done)
        finally:
            rule_set.delete_state(sid)

    def _verdicts(self, placed: PlacedRule, matched: Mapping[str, Fact]) -> list[Verdict]:
        found: list[Verdict] = []
        for then in placed.rule.then:
            try:
                found.append(_verdict(placed, then, matched))
            except ValidationError as error:
                self._complain(placed, error)
        return found

    def _complain(self, placed: PlacedRule, error: ValidationError) -> None:
        if placed.rule.id not in self._complained:
            self._complained.add(placed.rule.id)
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            log.warning(
                "%s:%d: rule %s: %s: %s; this verdict is left out",
                placed.file,
                placed.line,
                placed.rule.id,
                where,
                first["msg"],
            )

    def close(self) -> None:
        """Free the rule engine's memory."""
        with self._lock:
            for each in self._sets:
                self._native.delete_ruleset(each._handle)  # noqa: SLF001 - it has no method for it
            self._sets = []


def _nothing(_closure: Any) -> None:
    """For the rule that takes every fact."""


def _done(_error: Any, _state: Any = None) -> None:
    """Actions report nothing: what they raise, they raise nowhere."""


def _plain(value: FactValue) -> str:
    """A field as text of its type, so that a join compares like with like: true is not 1, and 2 is 2.0."""
    if isinstance(value, bool):
        return f"b:{value}"
    if isinstance(value, int | float):
        return f"n:{float(value)!r}" if abs(value) < 2**53 else f"n:{value}"
    return f"s:{str(value)[:_LONGEST]}"


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
        facts=dict(matched),
    )


def _impact(said: ImpactVerdict, matched: Mapping[str, Fact]) -> Impact:
    values = {name: _resolved(value, matched) for name, value in said if name not in {"of", "reason"}}
    return Impact.model_validate({name: value for name, value in values.items() if value is not None})


def _resolved(value: object, matched: Mapping[str, Fact]) -> object:
    joined = reference(value)
    return matched[joined[0]].get(joined[1]) if joined else value
