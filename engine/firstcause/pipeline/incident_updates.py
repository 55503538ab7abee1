"""Puts verdicts into effect: opens, joins, re-roots, merges and resolves incidents; queues what to say."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.core.incidents.assembly import Group, group, headline
from firstcause.core.model import Alert, Incident, Priority, Role, Verdict
from firstcause.core.root_cause.attribution import parents
from firstcause.core.root_cause.suspects import SILENT
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.queue import ROUTE_TAG
from firstcause.pipeline import timeline_entries
from firstcause.store import alerts, incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.notify.queue import Announcer

log = logging.getLogger("firstcause.incidents")

_ONE_CAUSE = "they have one cause"


class Settlement:
    """One batch's changes to alerts and incidents, within one transaction.

    world: every alert that is active or was changed by the batch, by fingerprint; of drills or of what
    happened, never both. returning: seconds within which an error that is back continues its incident.
    """

    def __init__(
        self,
        conn: sa.Connection,
        world: Mapping[str, Alert],
        now: datetime,
        announcer: Announcer,
        returning: float,
    ) -> None:
        self._conn = conn
        self._world = dict(world)
        self._now = now
        self._announcer = announcer
        self._returning = timedelta(seconds=returning)
        self._doubtful: Collection[tuple[str, str]] = ()
        drill = any(alert.drill for alert in self._world.values())
        self._open = {each.row_id: each for each in incidents.still_open(conn, drill=drill)}

    @cached_property
    def _tenants_known(self) -> int:
        now = {alert.tenant for alert in self._world.values() if alert.tenant is not None}
        return len(alerts.tenants(self._conn) | now)

    def active(self) -> dict[str, Alert]:
        return {name: alert for name, alert in self._world.items() if alert.active}

    @cached_property
    def _over(self) -> list[Alert]:
        return self.over()

    def over(self) -> list[Alert]:
        """The alerts of open incidents that ended, with this batch or before."""
        just = [each for each in self._world.values() if not each.active and each.incident_id in self._open]
        rows = {alert.stored_id for alert in just}
        return [*just, *(each for each in alerts.over_in_open(self._conn) if each.stored_id not in rows)]

    def resolve_ended_roots(self) -> None:
        """An incident none of whose root alerts is active is over, and its cascades with it."""
        burning = {alert.fault for alert in self._world.values() if alert.active}
        for number, incident in list(self._open.items()):
            if incident.fault not in burning:
                self._resolve(number, incident)

    def _resolve(self, number: int, incident: Incident) -> None:
        members = [alert for alert in self._world.values() if alert.incident_id == number]
        ended = [
            alert.model_copy(update={"resolved_at": alert.resolved_at or self._now}) for alert in members
        ]
        alerts.save(self._conn, ended)
        self._world |= {alert.fingerprint: alert for alert in ended}
        del self._open[number]
        close_incident(
            self._conn,
            incident,
            self._now,
            self._announcer,
            actor="firstcause",
            reason="its root is well again",
        )

    def end_stand_ins(self) -> None:
        """What stands for a component that says nothing ends with the last that is attributed to it."""
        causes = {alert.caused_by for alert in self._world.values() if alert.active}
        self._end(name for name, alert in self.active().items() if _stands_in(alert) and name not in causes)

    def _end(self, names: Iterable[str]) -> None:
        ended = [self._world[name].model_copy(update={"resolved_at": self._now}) for name in names]
        alerts.save(self._conn, ended)
        self._world |= {alert.fingerprint: alert for alert in ended}

    def apply(
        self,
        verdicts: Mapping[str, Sequence[Verdict]],
        touched: Collection[str],
        stand_ins: Mapping[str, Alert],
        doubtful: Collection[tuple[str, str]] = (),
    ) -> None:
        """Attribute every active alert and bring the open incidents in line.

        touched: counted or changed. stand_ins: alerts for components that say nothing, if they are needed.
        doubtful: (root, the root that people were told of) where a new message is not worth it.
        """
        self._doubtful = doubtful
        self._world |= {name: alert for name, alert in stand_ins.items() if name not in self._world}
        chosen = parents(self.active(), verdicts)
        idle = {name for name in chosen if _stands_in(self._world[name])} - set(chosen.values())
        self._end(name for name in idle if self._world[name].stored_id is not None)
        for name in idle:
            del chosen[name]
            if self._world[name].stored_id is None:
                del self._world[name]
        active = self.active()
        alerts.save(self._conn, (self._world[name] for name in touched if not self._world[name].active))
        for each in group(active, chosen, list(self._open.values())):
            self._apply_group(each, chosen, verdicts, touched)

    def _apply_group(
        self,
        each: Group,
        chosen: Mapping[str, str | None],
        verdicts: Mapping[str, Sequence[Verdict]],
        touched: Collection[str],
    ) -> None:
        before = self._open.get(each.target) if each.target is not None else self._back(each)
        for gone in each.absorbed:
            self._merge(gone, before.row_id if before else 0)
        members = [self._world[name] for name in each.members]
        roots = [self._world[name] for name in each.roots]
        opened_at = before.opened_at if before else self._now
        over = [alert for alert in self._over if before is not None and alert.incident_id == before.row_id]
        after = headline(members, roots, verdicts, opened_at, self._tenants_known, over)
        after = after.model_copy(
            update=_kept(before, after.priority)
            | {"drill": roots[0].drill, "stored_id": before.stored_id if before else None}
        )
        if after != before:
            after = after.model_copy(update={"stored_id": incidents.save(self._conn, after)})
        joined = [alert for alert in members if alert.incident_id != after.stored_id]
        placed = [_placed(alert, after, chosen, verdicts) for alert in members]
        changed = [
            now
            for now, was in zip(placed, members, strict=True)
            if now.fingerprint in touched or _differs(now, was)
        ]
        alerts.save(self._conn, changed)
        if after != before or joined:
            self._note(before, after, members, joined, each.absorbed, verdicts)
            components = {alert.component for alert in members if alert.component is not None}
            only = _asked_route(roots) if after.drill else None
            self._announcer.announce(self._conn, after, components, self._now, self._doubtful, only)
        if after.drill and not outbox.waits_for(self._conn, after.row_id):
            actor, reason = incidents.OURSELVES, "no route takes it"
            close_incident(self._conn, after, self._now, self._announcer, actor=actor, reason=reason)

    def _back(self, each: Group) -> Incident | None:
        """The incident of this fault that ended by itself a moment ago, open again."""
        found = incidents.ended_lately(self._conn, each.fault, self._now - self._returning)
        if found is None:
            return None
        incidents.note(self._conn, found.row_id, self._now, f"open again: {found.root.code} is back")
        log.info("incident %s is open again: %s is back", found.stored_id, found.root.code)
        return found

    def _merge(self, gone: int, into: int) -> None:
        incidents.merge(self._conn, gone, into, self._now)
        outbox.cancel(self._conn, gone)
        outbox.move(self._conn, gone, into)
        log.info("incident %s lives on in incident %s: they have one cause", gone, into)

    def _note(
        self,
        before: Incident | None,
        after: Incident,
        members: Sequence[Alert],
        joined: Sequence[Alert],
        gone: Sequence[int],
        verdicts: Mapping[str, Sequence[Verdict]],
    ) -> None:
        """members, joined: as they were before. gone: incidents that live on in this one."""
        number = after.row_id
        if before is None:
            log.info("incident %s opened: %s (%s)", number, timeline_entries.named(after), after.priority)
        elif before.fault != after.fault:
            log.info("incident %s: root is now %s", number, timeline_entries.named(after))
        if gone:
            incidents.note(
                self._conn, number, self._now, f"took in {timeline_entries.listed(gone)}", reason=_ONE_CAUSE
            )
        for what, reason in timeline_entries.changed(before, after, members, verdicts):
            incidents.note(self._conn, number, self._now, what, reason=reason)
        for what, reason in timeline_entries.came(joined, after):
            incidents.note(self._conn, number, self._now, what, reason=reason)
        for other, (what, reason) in timeline_entries.moved(joined, after, {*gone, number}):
            incidents.note(self._conn, number, self._now, f"{what} came from incident {other}", reason=reason)
            incidents.note(self._conn, other, self._now, f"{what} went to incident {number}", reason=reason)


def _placed(
    alert: Alert,
    incident: Incident,
    chosen: Mapping[str, str | None],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> Alert:
    return alert.model_copy(
        update={
            "incident_id": incident.stored_id,
            "role": Role.ROOT if chosen[alert.fingerprint] is None else Role.CASCADE,
            "caused_by": chosen[alert.fingerprint],
            "verdicts": tuple(verdicts.get(alert.fingerprint, ())),
        }
    )


def _kept(before: Incident | None, priority: Priority) -> dict[str, object]:
    """What people did; who is at it may not know how bad it has become."""
    if before is None:
        return {}
    if priority.rank > before.priority.rank:
        return {}
    return {name: getattr(before, name) for name in ("acknowledged_at", "acknowledged_by")}


def _asked_route(roots: Sequence[Alert]) -> str | None:
    samples = (alert.sample for alert in roots)
    return next((each.tags.get(ROUTE_TAG) for each in samples if each is not None), None)


def _stands_in(alert: Alert) -> bool:
    return alert.code == SILENT


def _differs(now: Alert, was: Alert) -> bool:
    """Whether rules conclude otherwise; that the facts they saw are a minute older is no news."""
    return _bare(now) != _bare(was)


def _bare(alert: Alert) -> Alert:
    concluded = tuple(verdict.model_copy(update={"facts": {}}) for verdict in alert.verdicts)
    return alert.model_copy(update={"verdicts": concluded})
