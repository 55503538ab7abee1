"""One batch of accepted events into alerts and incidents, in one transaction."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.facts import Change, change_fact, dependency_fact, past_root_facts, silence_facts
from firstcause.core.grouping.aggregation import Folded, counted, fold, opened, until
from firstcause.core.grouping.fingerprint import Occurrence, identify
from firstcause.core.grouping.overflow import tell
from firstcause.core.root_cause.attribution import by_hand
from firstcause.core.root_cause.graphs import calls_of, releases_of
from firstcause.core.root_cause.suspects import weighed
from firstcause.health.change_finder import deployments
from firstcause.health.system_state import REMEMBERED as LATELY
from firstcause.hookspecs.types import FactContext
from firstcause.inference.patterns import fits_whole
from firstcause.pipeline.alert_lookup import standing, within_limits
from firstcause.pipeline.decoding import unpacked
from firstcause.pipeline.incident_updates import Settlement
from firstcause.rulebase.evaluation import Scopes, Seen, common_facts
from firstcause.store import (
    alerts,
    cause_overrides,
    dependencies,
    event_counts,
    event_log,
    incidents,
    notification_state,
    recorded_facts,
    releases,
    silences,
)
from firstcause.store.event_log import Kept
from firstcause.store.inbox import document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Intake, Topology
    from firstcause.core.health.comparison import Difference
    from firstcause.core.model import Alert, Fact, Severity, Verdict
    from firstcause.core.privacy.masking import Mask
    from firstcause.core.root_cause.suspects import Weighable
    from firstcause.health.system_state import World
    from firstcause.notify.queue import Announcer
    from firstcause.pipeline.decoding import Received
    from firstcause.plugins.manager import Host
    from firstcause.rulebase.rulebase import Knowledge
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
        """Triage up to `limit` of the oldest waiting events; events 0 where none waits."""
        with self.database.read() as conn:
            batch = self.database.inbox.waiting(conn, limit)
        if not batch.parcels:
            return Triaged()
        taken = _once(one for each in batch.parcels for one in unpacked(each))
        identified = self._identified(taken.values())
        with self.database.write() as conn:
            batch.take(conn)
            # What was sent twice is not counted again.
            for name in event_log.known(conn, taken.keys()):
                del taken[name]
            occurrences = {name: identified[name] for name, each in taken.items() if each.event is not None}
            events = [each.event for each in occurrences.values()]
            dependencies.learn(conn, calls_of(events, self.topology.learn_from), now)
            releases.learn(conn, releases_of(events, self.releases))
            rest, folded = self._fold(conn, self._uncounted(conn, occurrences), now)
            occurrences |= rest
            self._record(conn, folded, now)
            alerts.register(conn, _registered(occurrences.values()))
            event_counts.count(conn, _tallied(occurrences.values()), now)
            event_log.keep(conn, [_kept(each, occurrences.get(name)) for name, each in taken.items()], now)
        return Triaged(sum(each.take for each in batch.parcels), len(folded.changed), self._suspects(folded))

    def set_aside(self, problem: str, now: datetime) -> Triaged:
        """Mark the oldest waiting event as not to be triaged, with the reason."""
        with self.database.read() as conn:
            batch = self.database.inbox.waiting(conn, 1)
        if not batch.parcels:
            return Triaged()
        with self.database.write() as conn:
            batch.take(conn)
            taken = _once(one for each in batch.parcels for one in unpacked(each))
            fresh = taken.keys() - event_log.known(conn, taken.keys())
            event_log.keep(conn, [_kept(taken[name]._replace(problem=problem), None) for name in fresh], now)
        return Triaged(len(batch.parcels))

    def _identified(self, received: Iterable[Received]) -> dict[str, Occurrence]:
        catalog = self.knowledge.catalog
        given = [each.event for each in received if each.event is not None]
        enriched = self.host.enrich(given, [catalog.get(event.code) is not None for event in given])
        # What came in was masked then; what plugins added was not.
        events = [
            after if after is before else self.mask.event(after)
            for before, after in zip(given, enriched, strict=True)
        ]
        names = (event.id for event in given)
        return {name: identify(event, catalog) for name, event in zip(names, events, strict=True)}

    def _uncounted(self, conn: sa.Connection, occurrences: Mapping[str, Occurrence]) -> dict[str, Occurrence]:
        """Count what only adds to an alert; returns the others."""
        known = alerts.standing(conn, {each.fingerprint for each in occurrences.values()})
        more = counted(occurrences.values(), known, self.knowledge.inference.limits("alert", "count"))
        same = {
            name: each for name, each in more.items() if not self._is_other(known[name], each.of(known[name]))
        }
        alerts.add(conn, same.values())
        return {name: each for name, each in occurrences.items() if each.fingerprint not in same}

    def _fold(
        self, conn: sa.Connection, taken: Mapping[str, Occurrence], now: datetime
    ) -> tuple[dict[str, Occurrence], Folded]:
        """Returns also the occurrences as what they count in."""
        occurrences = list(taken.values())
        met = standing(conn, occurrences, now - self._goes_on)
        known, over = met.known | self._lately(conn, met.ended, now), self._over(conn, met.ended)
        occurrences = within_limits(conn, occurrences, known, over, self.intake, now)
        folded = fold(occurrences, known, over, self.knowledge.inference.limits("alert", "count"))
        tell(folded, occurrences)
        folded.changed |= met.renamed & folded.counted.keys()
        folded.changed |= self._weightier(folded, known)
        rows = {name: met.ended[name].stored_id for name in folded.late}
        alerts.count_late(conn, {row: folded.late[name] for name, row in rows.items() if row is not None})
        return dict(zip(taken, occurrences, strict=True)), opened(folded, now)

    def _weightier(self, folded: Folded, known: Mapping[str, Alert]) -> set[str]:
        """Known alerts that are other evidence than before: one that came often is to be believed more."""
        both = folded.counted.keys() & known.keys()
        return {name for name in both if self._is_other(known[name], folded.alerts[name])}

    def _is_other(self, before: Weighable, after: Weighable) -> bool:
        """Whether it is other evidence."""
        signals, weights = self.knowledge.book.signals, self.knowledge.book.weights
        return weighed(before, signals, weights) != weighed(after, signals, weights)

    @property
    def _goes_on(self) -> timedelta:
        """For how long after its end something may still go on."""
        return timedelta(seconds=max(self.intake.returning, self.intake.trailing))

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
        recorded_facts.note(conn, now, told)
        common = common_facts(conn, self.knowledge, told, active.values(), now)
        seen = Seen(settlement.over(), notification_state.said_faults(conn), _by_hand(conn, active))
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


def _once(received: Iterable[Received]) -> dict[str, Received]:
    """By their ids; one that is there twice is the same occurrence, and the first counts."""
    found: dict[str, Received] = {}
    for each in received:
        found.setdefault(each.event_id, each)
    return found


def _kept(received: Received, occurrence: Occurrence | None) -> Kept:
    fingerprint = occurrence.fingerprint if occurrence else None
    if received.event is None:
        return Kept(received.event_id, json.dumps({"unreadable": received.raw}), None, received.problem)
    return Kept(received.event_id, document(received.event), fingerprint, received.problem)


def _by_hand(conn: sa.Connection, active: Mapping[str, Alert]) -> list[Verdict]:
    rows = {alert.stored_id: alert for alert in active.values()}
    return [
        by_hand(rows[each.effect], rows.get(each.cause), each.actor, each.reason)
        for each in cause_overrides.in_force(conn)
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
    """One line of the registry a code, in the words of its latest."""
    together: dict[str, list[Occurrence]] = {}
    for each in occurrences:
        if not (each.event.resolved or each.event.drill):
            together.setdefault(each.code, []).append(each)
    return [_line(code, listed) for code, listed in sorted(together.items())]


def _line(code: str, listed: Sequence[Occurrence]) -> dict[str, object]:
    last = max(reversed(listed), key=_time)
    return {
        "code": code,
        "title": last.title,
        "catalogued": last.entry is not None,
        "severity": last.severity.value,
        "first_seen": min(map(_time, listed)),
        "last_seen": last.event.time,
        "count": len(listed),
    }


def _time(occurrence: Occurrence) -> datetime:
    return occurrence.event.time
