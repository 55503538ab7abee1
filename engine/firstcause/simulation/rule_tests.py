"""Runs the tests that stand in rule files, by the pipeline itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Event, VerdictKind
from firstcause.simulation.simulator import Moment, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firstcause.core.model import Fact, Notification
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.rulefiles.load import PlacedTest
    from firstcause.rulefiles.schema import Expect, RuleTest

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Difference:
    """One thing that was expected and came otherwise; both as a person reads them."""

    field: str
    expected: str
    got: str


@dataclass(frozen=True)
class Result:
    """What came of one test. why: the incidents and the rules that spoke, for a test that failed."""

    test: PlacedTest
    differences: tuple[Difference, ...]
    why: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences


def run(knowledge: Knowledge, tests: Sequence[PlacedTest]) -> Iterator[Result]:
    """The results in the order of the tests, each as soon as it is there."""
    rehearsal = Rehearsal(knowledge)
    try:
        for placed in tests:
            rehearsal.play(_timeline(placed.test))
            incidents = rehearsal.incidents()
            found = (
                *_compared(placed.test.expect, incidents, rehearsal.notifications),
                *_judged(placed.test, knowledge),
            )
            yield Result(placed, found, tuple(_why(incidents, rehearsal.notifications)) if found else ())
    finally:
        rehearsal.close()


def _timeline(test: RuleTest) -> Iterator[Moment]:
    facts: list[Fact] = []
    numbered = list(enumerate(test.given))
    for at, together in groupby(numbered, key=lambda pair: pair[1].at):
        now = _START + timedelta(seconds=at)
        events = []
        for number, step in together:
            if step.facts is not None:
                facts = [{"id": f"fact {n}", **fact} for n, fact in enumerate(step.facts)]
            if step.event is not None:
                given = step.event.model_dump(exclude_none=True)
                events.append(Event.model_validate({"id": f"event {number}", **given, "time": now}))
        yield Moment(now, events, facts)


def _compared(
    expect: Expect, incidents: Sequence[dict[str, Any]], said: Sequence[Notification]
) -> Iterator[Difference]:
    """root chooses the incident that cascades and priority speak of; without it, all are meant."""
    meant = [one for one in incidents if expect.root in {None, one["root"]["code"]}]
    cascades = {each["code"] for one in meant for each in one["alerts"] if each["role"] == "cascade"}
    pairs: list[tuple[str, object, object]] = [
        ("incidents", expect.incidents, len(incidents)),
        ("notifications", expect.notifications, len(said)),
    ]
    if expect.root is not None and not meant:
        pairs.append(("root", expect.root, _listed(one["root"]["code"] for one in incidents)))
    else:
        pairs.append(("priority", expect.priority, _listed(one["priority"] for one in meant)))
        if expect.cascades is not None:
            pairs.append(("cascades", _listed(expect.cascades), _listed(cascades)))
    for name, expected, got in pairs:
        if expected is not None and str(expected) != str(got):
            yield Difference(name, str(expected), str(got))


def _judged(test: RuleTest, knowledge: Knowledge) -> Iterator[Difference]:
    """What the rules say of the last facts, where the test asks for that."""
    expect = test.expect
    if expect.regressions is None and expect.known_good is None and expect.predictions is None:
        return
    told = [step.facts for step in test.given if step.facts is not None]
    facts: list[Fact] = [{"id": f"fact {n}", **fact} for n, fact in enumerate(told[-1] if told else ())]
    named = {str(fact["id"]): str(fact.get("name") or fact.get("metric") or "") for fact in facts}
    said: dict[VerdictKind, set[str]] = {}
    for verdict in knowledge.inference.evaluate(facts):
        said.setdefault(verdict.verdict, set()).add(named.get(verdict.of, ""))
    for field, expected, kind in (
        ("regressions", expect.regressions, VerdictKind.REGRESSION),
        ("predictions", expect.predictions, VerdictKind.PREDICT),
    ):
        if expected is not None and set(expected) != said.get(kind, set()):
            yield Difference(field, _listed(expected), _listed(said.get(kind, ())))
    if expect.known_good not in {None, good := VerdictKind.KNOWN_GOOD in said}:
        yield Difference("known_good", str(expect.known_good).lower(), str(good).lower())


def _listed(values: Any) -> str:
    return ", ".join(sorted(set(map(str, values)))) or "none"


def _why(incidents: Sequence[dict[str, Any]], said: Sequence[Notification]) -> Iterator[str]:
    for one in incidents:
        yield f"incident {one['id']}: {one['root']['code']}, {one['priority']}, {one['status']}"
        for verdict in one["verdicts"]:
            place = f"{verdict['file']}:{verdict['line']}"
            yield f"  {verdict['code']}: {verdict['verdict']} ({verdict['because']}) [{place}]"
    for each in said:
        yield f"said: {each.text}"
