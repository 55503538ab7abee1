"""Stored history played again by other rules: what would differ, incident by incident."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Role
from firstcause.core.text.timestamps import format_time
from firstcause.simulation.simulator import Moment, Rehearsal
from firstcause.store import alerts, event_log, incidents, recorded_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Incident
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Outcome:
    """What became of some events: one incident. said: reasons for which people were told, None: unknown."""

    incident: Incident
    members: Sequence[Alert]
    said: Sequence[str] | None

    @property
    def cascades(self) -> set[str]:
        return {alert.code for alert in self.members if alert.role is Role.CASCADE}

    @property
    def verdicts(self) -> set[tuple[str, str, str]]:
        """(rule, verdict, code)"""
        return {
            (each.rule, each.verdict.value, alert.code) for alert in self.members for each in alert.verdicts
        }


@dataclass(frozen=True)
class History:
    """All outcomes by incident, and which incident each event belongs to."""

    outcomes: Mapping[int, Outcome]
    of_events: Mapping[str, int]


@dataclass
class Report:
    """What a backtest found. differences: as `rules backtest --json` shows them."""

    events: int
    incidents: int
    differences: list[dict[str, Any]] = field(default_factory=list)


def backtest(
    database: Database, knowledge: Knowledge, group_wait: float, since: datetime, now: datetime
) -> Report:
    """Play the history from `since` on by this knowledge, and compare with what really happened.

    group_wait: seconds, as it was in force.
    """
    with database.read() as conn:
        start = event_log.begin(conn, since)
        happened = _history(conn, start, since, now)
        events = event_log.count(conn, start)
        rehearsal = Rehearsal(knowledge, group_wait=group_wait)
        try:
            rehearsal.play(_moments(conn, start), until=now)
            with rehearsal.database.read() as replayed:
                would = _history(replayed, start, since, now)
        finally:
            rehearsal.close()
    return Report(events, len(happened.outcomes), list(_differences(happened, would)))


def _moments(conn: sa.Connection, start: datetime) -> Iterator[Moment]:
    """In order of time: what people closed, what was known besides, and the batches."""
    closed = (Moment(at, (), closed=names) for at, names in event_log.closed_by_hand(conn, start))
    known = (Moment(at, (), facts) for at, facts in recorded_facts.noted(conn, start))
    batches = (Moment(batch.at, batch.events) for batch in event_log.batches(conn, start))
    # Of one time they come in this order: heapq.merge keeps it.
    merged = heapq.merge(closed, known, batches, key=lambda moment: moment.now)
    for now, together in groupby(merged, key=lambda moment: moment.now):
        facts = None
        for moment in together:
            if moment.facts is not None:
                # Written down when the batch of the same time was triaged, if there is one.
                facts = moment.facts
            else:
                yield replace(moment, facts=facts) if moment.events else moment
                facts = None if moment.events else facts
        if facts is not None:
            yield Moment(now, (), facts)


def _history(conn: sa.Connection, start: datetime, since: datetime, now: datetime) -> History:
    listed = [
        each
        for each in incidents.listed(conn, None, None)
        if each.opened_at >= start
        and (each.resolved_at is None or each.resolved_at >= since)
        and not each.drill
    ]
    members = alerts.of_incidents(conn, [each.row_id for each in listed])
    said = event_log.said(conn, now)
    return History(
        {
            number: Outcome(each, members[number], said.get(number, []))
            for each in reversed(listed)
            if (number := each.stored_id) is not None
        },
        event_log.incident_of_events(conn, start),
    )


def _differences(happened: History, would: History) -> Iterator[dict[str, Any]]:
    """Incidents that share most events are the same one; what has no other is gained or lost."""
    pairs = _pairs(happened, would)
    for number, outcome in happened.outcomes.items():
        other = pairs.get(number)
        if other is None:
            yield {"incident": str(number), "change": "lost", **_told(outcome), "changes": {}}
        elif changes := _changes(outcome, would.outcomes[other]):
            yield {"incident": str(number), "change": "differs", **_told(outcome), "changes": changes}
    for number in would.outcomes.keys() - set(pairs.values()):
        yield {"incident": None, "change": "gained", **_told(would.outcomes[number]), "changes": {}}


def _pairs(happened: History, would: History) -> dict[int, int]:
    shared = Counter(
        (was, now)
        for event, was in happened.of_events.items()
        if was in happened.outcomes and (now := would.of_events.get(event)) in would.outcomes
    )

    def rank(each: tuple[tuple[int, int | None], int]) -> tuple[int, bool, str]:
        (was, now), count = each
        other = would.outcomes[now or 0].incident.root.code
        return -count, happened.outcomes[was].incident.root.code != other, str((was, now))

    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for (was, now), _count in sorted(shared.items(), key=rank):
        if was not in pairs and now not in taken and now is not None:
            pairs[was] = now
            taken.add(now)
    return pairs


def _told(outcome: Outcome) -> dict[str, Any]:
    each = outcome.incident
    return {
        "opened_at": format_time(each.opened_at),
        "root": each.root.code,
        "priority": each.priority.value,
        "events": sum(alert.count for alert in outcome.members),
        "said": None if outcome.said is None else list(outcome.said),
    }


def _changes(was: Outcome, now: Outcome) -> dict[str, Any]:
    """Only what differs: of single values what it was and would be, of several which come and go."""
    found: dict[str, Any] = {}
    for name, before, after in (
        ("root", was.incident.root.code, now.incident.root.code),
        ("priority", was.incident.priority.value, now.incident.priority.value),
        ("suppressed", was.incident.suppressed, now.incident.suppressed),
    ):
        if before != after:
            found[name] = {"was": before, "would_be": after}
    for name, before_all, after_all in (
        ("cascades", was.cascades, now.cascades),
        ("notifications", *_known(was.said, now.said)),
    ):
        if before_all != after_all:
            found[name] = {"gained": sorted(after_all - before_all), "lost": sorted(before_all - after_all)}
    if was.verdicts != now.verdicts:
        found["verdicts"] = {
            "gained": [_verdict(each) for each in sorted(now.verdicts - was.verdicts)],
            "lost": [_verdict(each) for each in sorted(was.verdicts - now.verdicts)],
        }
    return found


def _known(was: Sequence[str] | None, now: Sequence[str] | None) -> tuple[set[str], set[str]]:
    return (set(), set()) if was is None or now is None else (set(was), set(now))


def _verdict(each: tuple[str, str, str]) -> dict[str, str]:
    rule, verdict, code = each
    return {"rule": rule, "verdict": verdict, "code": code}
