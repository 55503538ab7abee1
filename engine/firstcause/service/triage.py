"""One batch of accepted events into alerts and incidents, in one transaction."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.attribution import by_hand
from firstcause.core.facts import Change, change_fact, dependency_fact, past_root_facts, silence_facts
from firstcause.core.identity import Occurrence, identify
from firstcause.core.topology import calls_of, releases_of
from firstcause.core.triage import Folded, fold, until
from firstcause.hookspecs.types import FactContext
from firstcause.inference.patterns import fits_whole
from firstcause.service.derive import Scopes, Seen, common_facts
from firstcause.service.settle import Settlement
from firstcause.service.whatchanged import deployments
from firstcause.service.world import REMEMBERED as LATELY
from firstcause.store import (
    alerts,
    dependencies,
    inbox,
    incidents,
    observations,
    releases,
    rulings,
    silences,
    tallies,
    telling,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake, Topology
    from firstcause.core.compare import Difference
    from firstcause.core.masking import Mask
    from firstcause.core.model import Alert, Fact, Severity, Verdict
    from firstcause.host import Host
    from firstcause.service.knowledge import Knowledge
    from firstcause.service.settle import Announcer
    from firstcause.service.world import World
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.triage")

REMEMBERED = timedelta(days=90)
"""How long it counts for a component that it was the root before."""


@dataclass(frozen=True)
class Triaged:
    """What a batch did. suspects: probes that could tell whether a known cause of what came is broken."""

    events: int = 0
    changed: int = 0
    suspects: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Triage:
    """The pipe from the inbox to incidents; everything that it needs is handed in.

    releases: tags or details of an error that name the release of its service.
    """

    database: Database
    knowledge: Knowledge
    host: Host
    world: World
    announcer: Announcer
    intake: Intake
    topology: Topology
    mask: Mask
    releases: Sequence[str] = ()

    def run(self, now: datetime, limit: int) -> Triaged:
        """Triage the oldest waiting events; events 0 where none waits."""
        with self.database.read() as conn:
            received = inbox.waiting(conn, limit)
        occurrences = self._identified(received)
        if not received:
            return Triaged()
        with self.database.write() as conn:
            fresh = inbox.still_waiting(conn, [each.seq for each in received])
            taken = {seq: each for seq, each in occurrences.items() if seq in fresh}
            events = [each.event for each in taken.values()]
            dependencies.learn(conn, calls_of(events, self.topology.learn_from), now)
            releases.learn(conn, releases_of(events, self.releases))
            folded = self._fold(conn, list(taken.values()), now)
            self._record(conn, folded, now)
            alerts.register(conn, _registered(taken.values()))
            tallies.count(conn, _tallied(taken.values()), now)
            inbox.mark(
                conn,
                [
                    (each.seq, taken[each.seq].fingerprint if each.seq in taken else None, each.problem)
                    for each in received
                    if each.seq in fresh
                ],
                now,
            )
        return Triaged(len(received), len(folded.changed), self._suspects(folded))

    def set_aside(self, problem: str, now: datetime) -> Triaged:
        """Mark the oldest waiting event as not to be triaged, with the reason."""
        with self.database.write() as conn:
            oldest = inbox.waiting(conn, 1)
            inbox.mark(conn, [(each.seq, None, problem) for each in oldest], now)
        return Triaged(len(oldest))

    def _identified(self, received: Sequence[inbox.Received]) -> dict[int, Occurrence]:
        catalog = self.knowledge.catalog
        readable = [(each.seq, each.event) for each in received if each.event is not None]
        given = [event for _seq, event in readable]
        enriched = self.host.enrich(given, [catalog.get(event.code) is not None for event in given])
        # What came in was masked then; what plugins added was not.
        events = [
            after if after is before else self.mask.event(after)
            for before, after in zip(given, enriched, strict=True)
        ]
        return {seq: identify(event, catalog) for (seq, _), event in zip(readable, events, strict=True)}

    def _fold(self, conn: sa.Connection, occurrences: Sequence[Occurrence], now: datetime) -> Folded:
        names = {each.fingerprint for each in occurrences}
        known = alerts.active_by_fingerprint(conn, names)
        ended = alerts.last_ended(conn, names - known.keys())
        folded = fold(
            occurrences,
            known | self._lately(conn, ended, now),
            self._over(conn, ended),
            self.knowledge.inference.limits("alert", "count"),
        )
        rows = {name: ended[name].stored_id for name in folded.late}
        alerts.count_late(conn, {row: folded.late[name] for name, row in rows.items() if row is not None})
        return folded

    def _record(self, conn: sa.Connection, folded: Folded, now: datetime) -> None:
        """A drill is a world of its own: nothing in it causes what happened, nor follows from it."""
        for drill in (False, True):
            mine = {name: alert for name, alert in folded.alerts.items() if alert.drill is drill}
            counted, changed = folded.counted.keys() & mine.keys(), folded.changed & mine.keys()
            if changed:
                active = alerts.active(conn, drill=drill)
                world = {alert.fingerprint: alert for alert in active} | mine
                self._settle(conn, world, changed, counted | changed, now)
            elif counted:
                alerts.save(conn, (mine[name] for name in counted))

    def reconsider(self, now: datetime) -> None:
        """Ask the rules anew of all that is active: time went on, or something besides the alerts changed."""
        with self.database.write() as conn:
            active = {alert.fingerprint: alert for alert in alerts.active(conn)}
            if active:
                self._settle(conn, active, active.keys(), (), now)

    def _lately(self, conn: sa.Connection, ended: Mapping[str, Alert], now: datetime) -> dict[str, Alert]:
        """Those that ended by themselves a moment ago: a person's word that it is over is the end of them."""
        since = now - timedelta(seconds=self.intake.returning)
        fresh = {name: each for name, each in ended.items() if each.resolved_at and each.resolved_at >= since}
        closed = incidents.closed_by_hand(conn, {each.incident_id for each in fresh.values()} - {None})
        return {name: alert for name, alert in fresh.items() if alert.incident_id not in closed}

    def _over(self, conn: sa.Connection, ended: Mapping[str, Alert]) -> dict[str, datetime]:
        causes = {alert.caused_by for alert in ended.values() if alert.caused_by is not None}
        back = alerts.active_by_fingerprint(conn, causes)
        return {
            name: until(alert, cause_is_back=alert.caused_by in back, grace=self.intake.trailing)
            for name, alert in ended.items()
        }

    def _settle(
        self,
        conn: sa.Connection,
        world: Mapping[str, Alert],
        changed: Collection[str],
        touched: Collection[str],
        now: datetime,
    ) -> None:
        """world, touched: see `Settlement`. changed: alerts that rules may see otherwise than before."""
        settlement = Settlement(conn, world, now, self.announcer, self.intake.returning)
        settlement.end_stand_ins()
        settlement.resolve_ended_roots()
        active = settlement.active()
        told = self.world.facts(now) + self._supplied(conn, active.values(), now)
        observations.note(conn, now, told)
        common = common_facts(conn, self.knowledge, told, active.values(), now)
        seen = Seen(settlement.over(), telling.said_faults(conn), _by_hand(conn, active))
        scopes = Scopes(self.knowledge, active, common, now, seen)
        verdicts = scopes.derive(changed)
        settlement.apply(verdicts, touched, scopes.stand_ins, scopes.doubtful)

    def _supplied(self, conn: sa.Connection, active: Iterable[Alert], now: datetime) -> list[Fact]:
        """Of plugins, silences and the past; none where history is played, which holds them."""
        if self.world.told is not None:
            return []
        listed = [alert for alert in active if not alert.drill]
        past = past_root_facts(incidents.past_roots(conn, now - REMEMBERED))
        silenced = silence_facts(listed, silences.active(conn, now), fits_whole)
        since = now - timedelta(seconds=self.topology.learned_for)
        learned = [dependency_fact(*call) for call in dependencies.known_since(conn, since)]
        deployed = [_deployment(each, now) for each in deployments(conn, now - LATELY, now)]
        return [*past, *silenced, *learned, *deployed, *self.host.facts(_context(listed))]

    def _suspects(self, folded: Folded) -> frozenset[str]:
        catalog, graph = self.knowledge.catalog, self.knowledge.graph
        codes = {folded.alerts[name].code for name in folded.changed if folded.alerts[name].active}
        entries = [catalog.get(cause) for code in codes for cause in (code, *graph.hops(code))]
        return frozenset(entry.verify.probe for entry in entries if entry is not None and entry.verify.probe)


def _by_hand(conn: sa.Connection, active: Mapping[str, Alert]) -> list[Verdict]:
    rows = {alert.stored_id: alert for alert in active.values()}
    return [
        by_hand(rows[each.effect], rows.get(each.cause), each.actor, each.reason)
        for each in rulings.in_force(conn)
        if each.effect in rows and (each.cause is None or each.cause in rows)
    ]


def _deployment(each: Difference, now: datetime) -> Fact:
    since, before, after = each.since or now, str(each.before), str(each.after)
    return change_fact(Change(each.category, each.component, each.name, before, after, since), now)


def _context(active: Iterable[Alert]) -> FactContext:
    listed = list(active)
    tenants = frozenset(alert.tenant for alert in listed if alert.tenant is not None)
    return FactContext(frozenset(alert.code for alert in listed), tenants)


def _tallied(occurrences: Iterable[Occurrence]) -> Counter[tuple[str, Severity]]:
    """By code and severity. Our own probes' reports are left out: they come as often as we ask."""
    return Counter(
        (each.code, each.severity)
        for each in occurrences
        if not (each.event.resolved or each.event.drill or each.event.probe is not None)
    )


def _registered(occurrences: Iterable[Occurrence]) -> list[dict[str, object]]:
    """One line of the registry a code."""
    seen: dict[str, dict[str, object]] = {}
    for each in sorted(occurrences, key=lambda one: one.event.time):
        if each.event.resolved or each.event.drill:
            continue
        before = seen.get(each.code)
        seen[each.code] = {
            "code": each.code,
            "title": each.title,
            "catalogued": each.entry is not None,
            "severity": each.severity.value,
            "first_seen": before["first_seen"] if before else each.event.time,
            "last_seen": each.event.time,
            "count": int(str(before["count"])) + 1 if before else 1,
        }
    return list(seen.values())
