"""Runs the tests of rule files through the real pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event, VerdictKind
from firstcause.simulation.simulator import Simulator, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firstcause.core.model import Fact
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
    """The result of one test. For a failed test, also its incidents and their verdicts, as lines of text."""

    test: PlacedTest
    differences: tuple[Mismatch, ...]
    explanation: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences


def run_rule_tests(rulebase: Rulebase, tests: Sequence[PlacedTest]) -> Iterator[RuleTestResult]:
    """Run the tests and yield each result as soon as it is there, in order."""
    simulator = Simulator(rulebase)
    try:
        for placed_test in tests:
            simulator.run(_build_timeline(placed_test.test))
            incidents = simulator.list_incidents()
            mismatches = (
                *_compare_incidents(placed_test.test.expect, incidents, simulator.notifications),
                *_compare_verdicts(placed_test.test, rulebase),
            )
            yield RuleTestResult(
                placed_test,
                mismatches,
                tuple(_explain_result(incidents, simulator.notifications)) if mismatches else (),
            )
    finally:
        simulator.close()


def _build_timeline(test: RuleTest) -> Iterator[Step]:
    facts: list[Fact] = []
    numbered = list(enumerate(test.given))
    for offset_s, group in groupby(numbered, key=lambda pair: pair[1].at):
        now = _START_TIME + timedelta(seconds=offset_s)
        events = []
        for step_index, step in group:
            if step.facts is not None:
                facts = [{"id": f"fact {fact_index}", **fact} for fact_index, fact in enumerate(step.facts)]
            if step.event is not None:
                fields = step.event.model_dump(exclude_none=True)
                events.append(Event.model_validate({"id": f"event {step_index}", **fields, "time": now}))
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
    for field, expected, kind in (
        ("regressions", expect.regressions, VerdictKind.REGRESSION),
        ("predictions", expect.predictions, VerdictKind.PREDICT),
    ):
        if expected is not None and set(expected) != names_by_verdict.get(kind, set()):
            yield Mismatch(field, _format_list(expected), _format_list(names_by_verdict.get(kind, ())))
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
