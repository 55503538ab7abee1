"""Runs the tests of rule files through the real pipeline."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event, VerdictKind
from firstcause.inference.near_misses import find_nearest_miss
from firstcause.simulation.simulator import Simulator, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from firstcause.core.model import Fact, Verdict
    from firstcause.core.notification import Notification
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.rulefiles.load import PlacedTest
    from firstcause.rulefiles.schema import Expect, RuleTest

_START_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mismatch:
    """An expectation that did not hold; both values in a readable form."""

    field: str
    expected: str
    got: str


@dataclass(frozen=True)
class RuleTestResult:
    """The result of one test. For a failed test, also its incidents and their verdicts, as lines of text.

    fired: ids of the rules that gave a verdict at any time.
    """

    test: PlacedTest
    differences: tuple[Mismatch, ...]
    explanation: tuple[str, ...] = ()
    fired: frozenset[str] = frozenset()

    @property
    def passed(self) -> bool:
        return not self.differences


def run_rule_tests(rulebase: Rulebase, tests: Sequence[PlacedTest]) -> Iterator[RuleTestResult]:
    """Run the tests and yield each result as soon as it is there, in order."""
    simulator = Simulator(rulebase)
    record = _EvaluationRecord()
    rulebase.inference.observe = record.add
    try:
        for placed_test in tests:
            record.clear()
            simulator.run(_build_timeline(placed_test.test))
            yield _judge(placed_test, simulator, record, rulebase)
    finally:
        rulebase.inference.observe = None
        simulator.close()


_MAX_REMEMBERED_EVALUATIONS = 12
_MAX_NEAR_MISSES = 3


@dataclass
class _EvaluationRecord:
    """The rules that fired during a test, and the facts of its last evaluations."""

    fired: set[str] = field(default_factory=set)
    fact_sets: deque[Sequence[Fact]] = field(
        default_factory=lambda: deque(maxlen=_MAX_REMEMBERED_EVALUATIONS)
    )

    def add(self, facts: Sequence[Fact], verdicts: Sequence[Verdict]) -> None:
        self.fired.update(verdict.rule for verdict in verdicts)
        self.fact_sets.append(facts)

    def clear(self) -> None:
        self.fired.clear()
        self.fact_sets.clear()


def _judge(
    placed_test: PlacedTest, simulator: Simulator, record: _EvaluationRecord, rulebase: Rulebase
) -> RuleTestResult:
    expect, incidents = placed_test.test.expect, simulator.list_incidents()
    mismatches = (
        *_compare_incidents(expect, incidents, simulator.notifications),
        *_compare_fired(expect, record.fired),
        *_compare_verdicts(placed_test.test, rulebase),
    )
    explanation: tuple[str, ...] = ()
    fired = frozenset(record.fired)
    if mismatches:
        simulator.evaluate_again()
        explanation = (
            *_explain_result(incidents, simulator.notifications),
            *_explain_near_misses(placed_test, record, rulebase),
        )
    return RuleTestResult(placed_test, mismatches, explanation, fired)


def _compare_fired(expect: Expect, fired: Collection[str]) -> Iterator[Mismatch]:
    if idle := [rule_id for rule_id in expect.fired or () if rule_id not in fired]:
        yield Mismatch("fired", _format_list(expect.fired), f"not {_format_list(idle)}")
    if wrong := [rule_id for rule_id in expect.not_fired or () if rule_id in fired]:
        yield Mismatch("not_fired", _format_list(expect.not_fired), f"{_format_list(wrong)} fired")


def _explain_near_misses(
    placed_test: PlacedTest, record: _EvaluationRecord, rulebase: Rulebase
) -> Iterator[str]:
    """Say what the rules lacked that were expected to fire, and then those of the test's file."""
    expected = set(placed_test.test.expect.fired or ())
    idle = [
        placed
        for placed in rulebase.book.rules
        if placed.rule.id not in record.fired
        and (placed.rule.id in expected or placed.file == placed_test.file)
    ]
    misses = [
        min((find_nearest_miss(placed, facts) for facts in record.fact_sets), key=lambda miss: miss.distance)
        for placed in idle
        if record.fact_sets
    ]
    misses.sort(key=lambda miss: (miss.rule.rule.id not in expected, miss.distance))
    for miss in misses[:_MAX_NEAR_MISSES]:
        yield f"{miss.rule.rule.id} did not fire  {miss.rule.file}:{miss.rule.line}"
        yield from (f"  {condition}" for condition in miss.failed_conditions)


def _build_timeline(test: RuleTest) -> Iterator[Step]:
    facts: list[Fact] = []
    occurrences = sorted(
        (
            (step.at + count * step.every, step_index, count, step)
            for step_index, step in enumerate(test.given)
            for count in range(step.repeat)
        ),
        key=lambda occurrence: occurrence[:3],
    )
    for offset_s, group in groupby(occurrences, key=lambda occurrence: occurrence[0]):
        now = _START_TIME + timedelta(seconds=offset_s)
        events = []
        for _at, step_index, count, step in group:
            if step.facts is not None:
                facts = [{"id": f"fact {fact_index}", **fact} for fact_index, fact in enumerate(step.facts)]
            if step.event is not None:
                fields = step.event.model_dump(exclude_none=True)
                event_id = f"event {step_index}" if step.repeat == 1 else f"event {step_index}.{count}"
                if count and "id" in fields:
                    fields["id"] = f"{fields['id']}.{count}"
                events.append(Event.model_validate({"id": event_id, **fields, "time": now}))
        yield Step(now, events, facts)


def _compare_incidents(
    expect: Expect, incidents: Sequence[dict[str, Any]], notifications: Sequence[Notification]
) -> Iterator[Mismatch]:
    """Compare incidents with expectations.

    Cascades and priority are those of the expected root, or of all.
    """
    matching = [incident for incident in incidents if expect.root in {None, incident["root"]["code"]}]
    cascades = {
        alert["code"] for incident in matching for alert in incident["alerts"] if alert["role"] == "cascade"
    }
    pairs: list[tuple[str, object, object]] = [
        ("incidents", expect.incidents, len(incidents)),
        ("notifications", expect.notifications, len(notifications)),
        ("quiet", expect.quiet, not notifications),
    ]
    if expect.root is not None and not matching:
        pairs.append(("root", expect.root, _format_list(incident["root"]["code"] for incident in incidents)))
    else:
        pairs.append(
            ("priority", expect.priority, _format_list(incident["priority"] for incident in matching))
        )
        if expect.cascades is not None:
            pairs.append(("cascades", _format_list(expect.cascades), _format_list(cascades)))
    for name, expected, actual in pairs:
        if expected is not None and str(expected) != str(actual):
            yield Mismatch(name, str(expected), str(actual))


def _compare_verdicts(test: RuleTest, rulebase: Rulebase) -> Iterator[Mismatch]:
    """Compare regressions, known good state and predictions of the last facts, where the test expects any."""
    expect = test.expect
    if expect.regressions is None and expect.known_good is None and expect.predictions is None:
        return
    fact_sets = [step.facts for step in test.given if step.facts is not None]
    facts: list[Fact] = [
        {"id": f"fact {index}", **fact} for index, fact in enumerate(fact_sets[-1] if fact_sets else ())
    ]
    fact_names = {str(fact["id"]): str(fact.get("name") or fact.get("metric") or "") for fact in facts}
    names_by_verdict: dict[VerdictKind, set[str]] = {}
    for verdict in rulebase.inference.evaluate(facts):
        names_by_verdict.setdefault(verdict.verdict, set()).add(fact_names.get(verdict.of, ""))
    for name, expected, kind in (
        ("regressions", expect.regressions, VerdictKind.REGRESSION),
        ("predictions", expect.predictions, VerdictKind.PREDICT),
    ):
        if expected is not None and set(expected) != names_by_verdict.get(kind, set()):
            yield Mismatch(name, _format_list(expected), _format_list(names_by_verdict.get(kind, ())))
    if expect.known_good not in {None, is_good := VerdictKind.KNOWN_GOOD in names_by_verdict}:
        yield Mismatch("known_good", str(expect.known_good).lower(), str(is_good).lower())


def _format_list(values: Any) -> str:
    return ", ".join(sorted(set(map(str, values)))) or "none"


def _explain_result(
    incidents: Sequence[dict[str, Any]], notifications: Sequence[Notification]
) -> Iterator[str]:
    for incident in incidents:
        root = incident["root"]["code"]
        yield f"incident {incident['id']}: {root}, {incident['priority']}, {incident['status']}"
        for verdict in incident["verdicts"]:
            location = f"{verdict['file']}:{verdict['line']}"
            yield f"  {verdict['code']}: {verdict['verdict']} ({verdict['because']}) [{location}]"
    for notification in notifications:
        yield f"notified: {notification.text}"
