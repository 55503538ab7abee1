"""Forecasts when measurements reach their limits. Rules decide which forecasts become errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.fact_kinds import ForecastFact
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
"""The reporter of predicted errors, in place of a probe's name."""

FORECAST_INTERVAL = timedelta(minutes=15)
"""How often forecasts are made."""

MAX_POINTS = 300
"""Snapshots that one forecast reads."""

FULL_THRESHOLD, EMPTY_THRESHOLD, LOOKBACK_THRESHOLD = "forecast_full", "forecast_empty", "forecast_back"
"""Thresholds: name endings of metrics that are full at 1, of those that are empty at 0; the lookback."""


def find_limit(metric: str, thresholds: Mapping[str, ThresholdValue]) -> float | None:
    """Return the limit that the rule files set for a metric; None where they set none."""
    for name, limit in ((FULL_THRESHOLD, 1.0), (EMPTY_THRESHOLD, 0.0)):
        suffixes = thresholds.get(name, ())
        if metric.endswith(
            tuple(str(suffix) for suffix in suffixes) if isinstance(suffixes, tuple) else str(suffixes)
        ):
            return limit
    return None


def format_evidence(metric: str, prediction: Forecast) -> str:
    """Say in a sentence what a forecast rests on."""
    earliest, likeliest = format_duration(prediction.earliest_s), format_duration(prediction.in_s)
    latest = format_duration(prediction.latest_s) if prediction.latest_s is not None else "never"
    return (
        f"{metric} is {prediction.value:.4g} and goes {prediction.per_hour:+.3g} an hour over "
        f"{prediction.points} points, so it is {prediction.limit:g} in {likeliest} "
        f"(8 times of 10 between {earliest} and {latest})"
    )


@dataclass(frozen=True)
class Forecaster:
    """Forecasts every measurement that has a limit."""

    database: Database
    rulebase: Rulebase

    def run(self, now: datetime, new_id: Callable[[], str]) -> list[Event]:
        """Build the events of predicted errors: for each component the earliest."""
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
    return ForecastFact(
        id=f"forecast:{metric}",
        metric=metric,
        probe=probe,
        component=component,
        value=prediction.value,
        limit=prediction.limit,
        per_hour=prediction.per_hour,
        in_s=prediction.in_s,
        earliest_s=prediction.earliest_s,
        latest_s=prediction.latest_s,
        evidence=format_evidence(metric, prediction),
    ).to_fact()


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
