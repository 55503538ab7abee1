"""Replays the stored history under other rules and reports what would differ, incident by incident."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Role
from firstcause.core.text.timestamps import format_time
from firstcause.simulation.simulator import Simulator, Step
from firstcause.store import alerts, event_log, incidents, recorded_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Incident
    from firstcause.rulebase.rulebase import Rulebase
    from firstcause.store.database import Database


@dataclass(frozen=True)
class IncidentOutcome:
    """An incident with its alerts. The reasons for which people were notified are None where unknown."""

    incident: Incident
    members: Sequence[Alert]
    notified_reasons: Sequence[str] | None

    @property
    def cascades(self) -> set[str]:
        return {alert.code for alert in self.members if alert.role is Role.CASCADE}

    @property
    def verdicts(self) -> set[tuple[str, str, str]]:
        """Each verdict on a member, as (rule, verdict, code)."""
        return {
            (verdict.rule, verdict.verdict.value, alert.code)
            for alert in self.members
            for verdict in alert.verdicts
        }


@dataclass(frozen=True)
class OutcomeHistory:
    """All outcomes by incident, and which incident each event belongs to."""

    outcomes: Mapping[int, IncidentOutcome]
    incident_by_event: Mapping[str, int]


@dataclass
class BacktestReport:
    """The result of a backtest. differences: in the form of `rules backtest --json`."""

    events: int
    incidents: int
    differences: list[dict[str, Any]] = field(default_factory=list)


def run_backtest(
    database: Database, rulebase: Rulebase, group_wait: float, since: datetime, now: datetime
) -> BacktestReport:
    """Replay the history since a time under this rulebase, and compare it with what really happened.

    group_wait: the setting that was in force, in seconds.
    """
    with database.read() as conn:
        start = event_log.find_replay_start(conn, since)
        actual = _load_history(conn, start, since, now)
        events = event_log.count(conn, start)
        simulator = Simulator(rulebase, group_wait=group_wait)
        try:
            simulator.run(_iter_steps(conn, start), until=now)
            with simulator.database.read() as simulated_conn:
                simulated = _load_history(simulated_conn, start, since, now)
        finally:
            simulator.close()
    return BacktestReport(events, len(actual.outcomes), list(_compare_histories(actual, simulated)))


def _iter_steps(conn: sa.Connection, start: datetime) -> Iterator[Step]:
    """Merge in order of time the incidents that people closed, the changes of facts, and the batches."""
    closures = (
        Step(when, (), resolved_fingerprints=fingerprints)
        for when, fingerprints in event_log.iter_manual_closures(conn, start)
    )
    fact_changes = (Step(when, (), facts) for when, facts in recorded_facts.iter_changes(conn, start))
    batches = (Step(batch.triaged_at, batch.events) for batch in event_log.iter_batches(conn, start))
    # Of one time they come in this order: heapq.merge keeps it.
    merged = heapq.merge(closures, fact_changes, batches, key=lambda step: step.now)
    for now, group in groupby(merged, key=lambda step: step.now):
        facts = None
        for step in group:
            if step.facts is not None:
                # Written down when the batch of the same time was triaged, if there is one.
                facts = step.facts
            else:
                yield replace(step, facts=facts) if step.events else step
                facts = None if step.events else facts
        if facts is not None:
            yield Step(now, (), facts)


def _load_history(conn: sa.Connection, start: datetime, since: datetime, now: datetime) -> OutcomeHistory:
    matching = [
        incident
        for incident in incidents.list_incidents(conn, None, None)
        if incident.opened_at >= start
        and (incident.resolved_at is None or incident.resolved_at >= since)
        and not incident.drill
    ]
    members = alerts.load_by_incident(conn, [incident.row_id for incident in matching])
    reasons_by_incident = event_log.load_notified_reasons(conn, now)
    return OutcomeHistory(
        {
            incident_id: IncidentOutcome(
                incident, members[incident_id], reasons_by_incident.get(incident_id, [])
            )
            for incident in reversed(matching)
            if (incident_id := incident.stored_id) is not None
        },
        event_log.map_events_to_incidents(conn, start),
    )


def _compare_histories(actual: OutcomeHistory, simulated: OutcomeHistory) -> Iterator[dict[str, Any]]:
    """Compare incidents: those that share most events are the same; one without a match is gained or lost."""
    pairs = _match_incidents(actual, simulated)
    for incident_id, outcome in actual.outcomes.items():
        match_id = pairs.get(incident_id)
        if match_id is None:
            yield {
                "incident": str(incident_id),
                "change": "lost",
                **_describe_outcome(outcome),
                "changes": {},
            }
        elif changes := _describe_changes(outcome, simulated.outcomes[match_id]):
            yield {
                "incident": str(incident_id),
                "change": "differs",
                **_describe_outcome(outcome),
                "changes": changes,
            }
    for incident_id in simulated.outcomes.keys() - set(pairs.values()):
        yield {
            "incident": None,
            "change": "gained",
            **_describe_outcome(simulated.outcomes[incident_id]),
            "changes": {},
        }


def _match_incidents(actual: OutcomeHistory, simulated: OutcomeHistory) -> dict[int, int]:
    shared = Counter(
        (actual_id, simulated_id)
        for event_id, actual_id in actual.incident_by_event.items()
        if actual_id in actual.outcomes
        and (simulated_id := simulated.incident_by_event.get(event_id)) in simulated.outcomes
    )

    def rank(pair: tuple[tuple[int, int | None], int]) -> tuple[int, bool, str]:
        (actual_id, simulated_id), count = pair
        simulated_root = simulated.outcomes[simulated_id or 0].incident.root.code
        return (
            -count,
            actual.outcomes[actual_id].incident.root.code != simulated_root,
            str((actual_id, simulated_id)),
        )

    pairs: dict[int, int] = {}
    matched_ids: set[int] = set()
    for (actual_id, simulated_id), _count in sorted(shared.items(), key=rank):
        if actual_id not in pairs and simulated_id not in matched_ids and simulated_id is not None:
            pairs[actual_id] = simulated_id
            matched_ids.add(simulated_id)
    return pairs


def _describe_outcome(outcome: IncidentOutcome) -> dict[str, Any]:
    incident = outcome.incident
    return {
        "opened_at": format_time(incident.opened_at),
        "root": incident.root.code,
        "priority": incident.priority.value,
        "events": sum(alert.count for alert in outcome.members),
        "said": None if outcome.notified_reasons is None else list(outcome.notified_reasons),
    }


def _describe_changes(actual: IncidentOutcome, simulated: IncidentOutcome) -> dict[str, Any]:
    """Return only what differs: single values before and after, members of lists that come and go."""
    changes: dict[str, Any] = {}
    for name, before, after in (
        ("root", actual.incident.root.code, simulated.incident.root.code),
        ("priority", actual.incident.priority.value, simulated.incident.priority.value),
        ("suppressed", actual.incident.suppressed, simulated.incident.suppressed),
    ):
        if before != after:
            changes[name] = {"was": before, "would_be": after}
    for name, before_all, after_all in (
        ("cascades", actual.cascades, simulated.cascades),
        ("notifications", *_comparable_reasons(actual.notified_reasons, simulated.notified_reasons)),
    ):
        if before_all != after_all:
            changes[name] = {"gained": sorted(after_all - before_all), "lost": sorted(before_all - after_all)}
    if actual.verdicts != simulated.verdicts:
        changes["verdicts"] = {
            "gained": [_format_verdict(verdict) for verdict in sorted(simulated.verdicts - actual.verdicts)],
            "lost": [_format_verdict(verdict) for verdict in sorted(actual.verdicts - simulated.verdicts)],
        }
    return changes


def _comparable_reasons(
    actual: Sequence[str] | None, simulated: Sequence[str] | None
) -> tuple[set[str], set[str]]:
    return (set(), set()) if actual is None or simulated is None else (set(actual), set(simulated))


def _format_verdict(verdict_key: tuple[str, str, str]) -> dict[str, str]:
    rule, verdict, code = verdict_key
    return {"rule": rule, "verdict": verdict, "code": code}
