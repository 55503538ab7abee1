"""What is about to be used up, by the trend of what was measured; the rules say what is worth an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.health.trend import Forecast, forecast
from firstcause.core.model import Event, Fact, VerdictKind
from firstcause.core.text.durations import spoken
from firstcause.store import snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from firstcause.core.health.snapshot import Snapshot
    from firstcause.core.model import Verdict
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.rulefiles.thresholds import Value
    from firstcause.store.database import Database

FORECAST = "forecast"
"""What reports and ends predictions, as a probe does."""

EVERY = timedelta(minutes=15)
"""How often it is looked what is about to be used up."""

POINTS = 300
"""Snapshots that one forecast looks at."""

FULL, EMPTY, BACK = "forecast_full", "forecast_empty", "forecast_back"
"""The thresholds of the endings of what is used up at 1, of what runs out at 0, and how far back to look."""


def limit_of(metric: str, thresholds: Mapping[str, Value]) -> float | None:
    """Where the metric ends by the rule files, None where they say nothing of it."""
    for name, limit in ((FULL, 1.0), (EMPTY, 0.0)):
        given = thresholds.get(name, ())
        if metric.endswith(tuple(str(each) for each in given) if isinstance(given, tuple) else str(given)):
            return limit
    return None


def evidence(metric: str, found: Forecast) -> str:
    """Why somebody should believe it, in a sentence."""
    sooner, likeliest = spoken(found.earliest_s), spoken(found.in_s)
    later = spoken(found.latest_s) if found.latest_s is not None else "never"
    return (
        f"{metric} is {found.value:.4g} and goes {found.per_hour:+.3g} an hour over {found.points} points, "
        f"so it is {found.limit:g} in {likeliest} (8 times of 10 between {sooner} and {later})"
    )


@dataclass(frozen=True)
class Forecasting:
    """Looks at every measurement that has an end."""

    database: Database
    knowledge: Knowledge

    def run(self, now: datetime, new_id: Callable[[], str]) -> list[Event]:
        """The errors that will be, one a component: the one that comes first."""
        facts = {str(fact["id"]): fact for fact in self._facts(now)}
        said = [
            verdict
            for verdict in self.knowledge.inference.evaluate(list(facts.values()))
            if verdict.verdict is VerdictKind.PREDICT
        ]
        first: dict[object, Verdict] = {}
        for verdict in sorted(said, key=lambda each: (facts[each.of]["in_s"], -each.priority, each.of)):
            first.setdefault(facts[verdict.of].get("component"), verdict)
        return [_event(verdict, facts[verdict.of], now, new_id()) for verdict in first.values()]

    def _facts(self, now: datetime) -> list[Fact]:
        back = self.knowledge.book.thresholds.get(BACK)
        since = now - timedelta(seconds=float(back) if isinstance(back, int | float) else 0.0)
        with self.database.read() as conn:
            kept = list(snapshots.between(conn, since, now, most=POINTS))
        return list(filter(None, (self._fact(kept, probe, name) for probe, name in _measured(kept))))

    def _fact(self, kept: list[Snapshot], probe: str, name: str) -> Fact | None:
        metric = f"{probe}.{name}"
        limit = limit_of(metric, self.knowledge.book.thresholds)
        if limit is None:
            return None
        points = [
            (each.taken_at.timestamp(), each.infrastructure[probe].numbers[name])
            for each in kept
            if probe in each.infrastructure and name in each.infrastructure[probe].numbers
        ]
        found = forecast(points, limit)
        if found is None:
            return None
        return _fact(metric, probe, kept[-1].infrastructure[probe].component, found)


def _measured(kept: list[Snapshot]) -> list[tuple[str, str]]:
    return [(probe, name) for probe, name, _ in kept[-1].measurements()] if kept else []


def _fact(metric: str, probe: str, component: str, found: Forecast) -> Fact:
    fact: Fact = {
        "kind": "forecast",
        "id": f"forecast:{metric}",
        "metric": metric,
        "probe": probe,
        "component": component,
        "value": found.value,
        "limit": found.limit,
        "per_hour": found.per_hour,
        "in_s": found.in_s,
        "earliest_s": found.earliest_s,
        "latest_s": found.latest_s,
        "evidence": evidence(metric, found),
    }
    return {name: value for name, value in fact.items() if value is not None}


def _event(verdict: Verdict, fact: Fact, now: datetime, number: str) -> Event:
    details: dict[str, Any] = {
        name: value for name, value in fact.items() if name not in {"kind", "id", "component"}
    }
    return Event(
        id=number,
        time=now,
        code=verdict.raises.code if verdict.raises is not None else None,
        message=verdict.because,
        severity=verdict.raises.severity if verdict.raises is not None else None,
        service=str(fact["component"]) if "component" in fact else None,
        details={**details, "rule": verdict.rule},
        probe=FORECAST,
    )
