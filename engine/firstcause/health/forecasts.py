"""What is about to be used up, by the trend of what was measured; the rules say what is worth an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.health.trend import Forecast, forecast_limit
from firstcause.core.model import Event, Fact, VerdictKind
from firstcause.core.text.durations import format_duration
from firstcause.store import snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from firstcause.core.health.snapshot import Snapshot
    from firstcause.core.model import Verdict
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.rulefiles.thresholds import ThresholdValue
    from firstcause.store.database import Database

FORECAST = "forecast"
"""What reports and ends predictions, as a probe does."""

FORECAST_INTERVAL = timedelta(minutes=15)
"""How often it is looked what is about to be used up."""

MAX_POINTS = 300
"""Snapshots that one forecast looks at."""

FULL_THRESHOLD, EMPTY_THRESHOLD, LOOKBACK_THRESHOLD = "forecast_full", "forecast_empty", "forecast_back"
"""The thresholds of the endings of what is used up at 1, of what runs out at 0, and how far back to look."""


def find_limit(metric: str, thresholds: Mapping[str, ThresholdValue]) -> float | None:
    """Where the metric ends by the rule files, None where they say nothing of it."""
    for name, limit in ((FULL_THRESHOLD, 1.0), (EMPTY_THRESHOLD, 0.0)):
        suffixes = thresholds.get(name, ())
        if metric.endswith(
            tuple(str(suffix) for suffix in suffixes) if isinstance(suffixes, tuple) else str(suffixes)
        ):
            return limit
    return None


def format_evidence(metric: str, prediction: Forecast) -> str:
    """Why somebody should believe it, in a sentence."""
    earliest, likeliest = format_duration(prediction.earliest_s), format_duration(prediction.in_s)
    latest = format_duration(prediction.latest_s) if prediction.latest_s is not None else "never"
    return (
        f"{metric} is {prediction.value:.4g} and goes {prediction.per_hour:+.3g} an hour "
        f"over {prediction.points} points, "
        f"so it is {prediction.limit:g} in {likeliest} (8 times of 10 between {earliest} and {latest})"
    )


@dataclass(frozen=True)
class Forecaster:
    """Looks at every measurement that has an end."""

    database: Database
    rulebase: Rulebase

    def run(self, now: datetime, new_id: Callable[[], str]) -> list[Event]:
        """The errors that will be, one a component: the one that comes first."""
        facts = {str(fact["id"]): fact for fact in self._build_facts(now)}
        predictions = [
            verdict
            for verdict in self.rulebase.inference.evaluate(list(facts.values()))
            if verdict.verdict is VerdictKind.PREDICT
        ]
        first_by_component: dict[object, Verdict] = {}
        for verdict in sorted(
            predictions, key=lambda verdict: (facts[verdict.of]["in_s"], -verdict.priority, verdict.of)
        ):
            first_by_component.setdefault(facts[verdict.of].get("component"), verdict)
        return [
            _build_event(verdict, facts[verdict.of], now, new_id()) for verdict in first_by_component.values()
        ]

    def _build_facts(self, now: datetime) -> list[Fact]:
        lookback = self.rulebase.book.thresholds.get(LOOKBACK_THRESHOLD)
        since = now - timedelta(seconds=float(lookback) if isinstance(lookback, int | float) else 0.0)
        with self.database.read() as conn:
            history = list(snapshots.iter_between(conn, since, now, max_count=MAX_POINTS))
        return list(
            filter(
                None, (self._forecast_metric(history, probe, name) for probe, name in _list_metrics(history))
            )
        )

    def _forecast_metric(self, history: list[Snapshot], probe: str, name: str) -> Fact | None:
        metric = f"{probe}.{name}"
        limit = find_limit(metric, self.rulebase.book.thresholds)
        if limit is None:
            return None
        points = [
            (snapshot.taken_at.timestamp(), snapshot.infrastructure[probe].numbers[name])
            for snapshot in history
            if probe in snapshot.infrastructure and name in snapshot.infrastructure[probe].numbers
        ]
        prediction = forecast_limit(points, limit)
        if prediction is None:
            return None
        return _build_forecast_fact(metric, probe, history[-1].infrastructure[probe].component, prediction)


def _list_metrics(history: list[Snapshot]) -> list[tuple[str, str]]:
    return [(probe, name) for probe, name, _ in history[-1].measurements()] if history else []


def _build_forecast_fact(metric: str, probe: str, component: str, prediction: Forecast) -> Fact:
    fact: Fact = {
        "kind": "forecast",
        "id": f"forecast:{metric}",
        "metric": metric,
        "probe": probe,
        "component": component,
        "value": prediction.value,
        "limit": prediction.limit,
        "per_hour": prediction.per_hour,
        "in_s": prediction.in_s,
        "earliest_s": prediction.earliest_s,
        "latest_s": prediction.latest_s,
        "evidence": format_evidence(metric, prediction),
    }
    return {name: value for name, value in fact.items() if value is not None}


def _build_event(verdict: Verdict, fact: Fact, now: datetime, event_id: str) -> Event:
    details: dict[str, Any] = {
        name: value for name, value in fact.items() if name not in {"kind", "id", "component"}
    }
    return Event(
        id=event_id,
        time=now,
        code=verdict.raises.code if verdict.raises is not None else None,
        message=verdict.because,
        severity=verdict.raises.severity if verdict.raises is not None else None,
        service=str(fact["component"]) if "component" in fact else None,
        details={**details, "rule": verdict.rule},
        probe=FORECAST,
    )
