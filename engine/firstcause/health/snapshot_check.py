"""A snapshot of everything, what of it is worse than the last known good state, and what likeliest did it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.health import comparison as compare
from firstcause.core.health.baseline import Normal
from firstcause.core.health.comparison import (
    Comparison,
    Difference,
    compared,
    dated,
    difference_facts,
    differences,
)
from firstcause.core.health.outlier import Reach
from firstcause.core.health.snapshot import (
    ABSENT,
    LISTED,
    PRESENT,
    TOP,
    Active,
    Errors,
    Snapshot,
    snapshot_fact,
)
from firstcause.core.model import Event, Severity, VerdictKind
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.durations import spoken
from firstcause.health.baselines import PREFIX, REACH_PREFIX
from firstcause.health.change_finder import WhatChanged, deployments
from firstcause.store import alerts, clock_adjustment, event_counts, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Health, Topology
    from firstcause.core.model import Alert, Verdict
    from firstcause.health.baselines import Normals
    from firstcause.health.system_state import World
    from firstcause.rulebase.rulebase import Knowledge
    from firstcause.store.database import Database
    from firstcause.store.snapshots import Stored

log = logging.getLogger("firstcause.health")

COMPARISON = "comparison"
"""What reports and ends regressions, as a probe does."""

SKEW = timedelta(minutes=1)
"""By how much the clocks of two that take snapshots may differ."""

WINDOW = 300.0
"""Seconds over which errors are counted, where snapshots are taken more often."""


@dataclass(frozen=True)
class Checked:
    """A snapshot as it was stored, and how it compares."""

    number: str
    snapshot: Snapshot
    comparison: Comparison


@dataclass(frozen=True)
class Checking:
    """Takes one snapshot; everything that it needs is handed in."""

    database: Database
    knowledge: Knowledge
    world: World
    normals: Normals
    health: Health
    topology: Topology

    def run(self, now: datetime) -> Checked:
        with self.database.write(exclusive=False) as conn:
            before, good = snapshots.last(conn), snapshots.last_good(conn)
            if before is not None:
                _mind_the_clock(conn, before.snapshot.taken_at - now, now)
            taken = self._taken(conn, before, good, now)
            book = self.knowledge.book
            normal, reach = book.tuned(Normal, PREFIX), book.tuned(Reach, REACH_PREFIX)
            strange = list(self.normals.judge(conn, taken, normal, reach))
            found = self._differences(conn, good, taken, before, strange, now)
            taken = taken.model_copy(update={"since": {each.key: each.since for each in found if each.since}})
            verdicts = self._judged(taken, found)
            known = (str(good.number), good.snapshot.taken_at) if good is not None else None
            what = WhatChanged(self.knowledge, self.topology.learned_for)
            comparison = compared(found, verdicts, what.explaining(conn, found, verdicts, now), known, now)
            called = strongest(verdicts, VerdictKind.KNOWN_GOOD)
            if good is None and called is not None:
                message = f"{comparison.message}; this one is good, and the next is compared with it"
                comparison = comparison.model_copy(update={"message": message})
            number = snapshots.add(conn, taken, called.because if called is not None else None)
        self.world.compared(found, {f"{one.category}:{one.name}" for one in comparison.regressions})
        return Checked(str(number), taken, comparison)

    def _taken(
        self, conn: sa.Connection, before: Stored | None, good: Stored | None, now: datetime
    ) -> Snapshot:
        active = alerts.active(conn)
        past = good or before
        return Snapshot(
            taken_at=now,
            infrastructure=self.world.observed(),
            errors=self._errors(conn, past.snapshot.taken_at if past is not None else now, now),
            configuration=self._configuration(),
            alerts=tuple(_active(each) for each in sorted(active, key=_first)[:LISTED]),
            alerts_open=len(active),
            critical_open=sum(each.severity is Severity.CRITICAL for each in active),
        )

    def _configuration(self) -> dict[str, str]:
        """Of each variable its checksum; where there is none, whether it is set."""
        world = self.world
        plain = {name: PRESENT if is_set else ABSENT for name, is_set in world.presence.items()}
        return plain | {name: each for name, each in world.checksums.items() if name in plain}

    def _errors(self, conn: sa.Connection, known: datetime, now: datetime) -> Errors:
        """known: codes first seen after that time are new."""
        start = now - timedelta(seconds=max(WINDOW, self.health.interval))
        counted = event_counts.since(conn, start, now)
        by_code: Counter[str] = Counter()
        by_severity: Counter[str] = Counter()
        for each in counted:
            by_code[each.code] += each.count
            by_severity[each.severity.lower()] += each.count
        return Errors(
            seconds=(now - start).total_seconds(),
            top=tuple(by_code.most_common(TOP)),
            new=tuple(event_counts.first_seen_after(conn, known, LISTED)),
            **by_severity,
        )

    def _differences(
        self,
        conn: sa.Connection,
        good: Stored | None,
        taken: Snapshot,
        before: Stored | None,
        strange: Sequence[Difference],
        now: datetime,
    ) -> list[Difference]:
        if good is None:
            return []
        found = [*differences(good.snapshot, taken, self.knowledge.notable), *strange]
        found = dated(found, before.snapshot.since if before is not None else {}, now)
        return [*found, *deployments(conn, good.snapshot.taken_at, now)]

    def _judged(self, taken: Snapshot, found: Sequence[Difference]) -> list[Verdict]:
        return self.knowledge.inference.evaluate([snapshot_fact(taken), *difference_facts(found)])


def _mind_the_clock(conn: sa.Connection, ahead: timedelta, now: datetime) -> None:
    """ahead: by how much the snapshot before is later than this one."""
    if ahead > SKEW:
        log.warning("the clock was set back by %s; what waits is set back too", spoken(ahead.total_seconds()))
        clock_adjustment.set_back(conn, ahead, now)


def _first(alert: Alert) -> tuple[int, datetime]:
    return -alert.severity.rank, alert.first_seen


def _active(alert: Alert) -> Active:
    return Active(
        code=alert.code,
        severity=alert.severity,
        service=alert.service,
        tenant=alert.tenant,
        count=alert.count,
    )


def event_of(comparison: Comparison, now: datetime, number: str) -> Event | None:
    """The error that a regression is, None where there is none. number: the event's id."""
    if comparison.code is None:
        return None
    return Event(
        id=number,
        time=now,
        code=comparison.code,
        message=comparison.message,
        severity=comparison.severity,
        details=compare.details(comparison),
        probe=COMPARISON,
    )
