"""Puts verdicts into effect: opens, joins, re-roots, merges and resolves incidents; queues what to say."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.core.incidents.assembly import AlertGroup, group_alerts, summarize_incident
from firstcause.core.model import Alert, Incident, Priority, Role, Verdict
from firstcause.core.root_cause.attribution import choose_causes
from firstcause.core.root_cause.suspects import SILENT_CODE
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.queue import ROUTE_TAG
from firstcause.pipeline import timeline_entries
from firstcause.store import alerts, incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.notify.queue import NotificationQueue

log = logging.getLogger("firstcause.incidents")

_MERGE_REASON = "they have one cause"


class IncidentUpdater:
    """One batch's changes to alerts and incidents, within one transaction.

    world: every alert that is active or was changed by the batch, by fingerprint; of drills or of what
    happened, never both. reopen_within_s: seconds within which an error that is back continues its incident.
    """

    def __init__(
        self,
        conn: sa.Connection,
        alerts_by_fingerprint: Mapping[str, Alert],
        now: datetime,
        notification_queue: NotificationQueue,
        reopen_within_s: float,
    ) -> None:
        self._conn = conn
        self._alerts = dict(alerts_by_fingerprint)
        self._now = now
        self._notification_queue = notification_queue
        self._reopen_within = timedelta(seconds=reopen_within_s)
        self._doubtful: Collection[tuple[str, str]] = ()
        drill = any(alert.drill for alert in self._alerts.values())
        self._open_incidents = {
            incident.row_id: incident for incident in incidents.load_open(conn, drill=drill)
        }

    @cached_property
    def _tenant_count(self) -> int:
        current = {alert.tenant for alert in self._alerts.values() if alert.tenant is not None}
        return len(alerts.load_tenants(self._conn) | current)

    def get_active(self) -> dict[str, Alert]:
        return {name: alert for name, alert in self._alerts.items() if alert.active}

    @cached_property
    def _ended_alerts(self) -> list[Alert]:
        return self.find_ended()

    def find_ended(self) -> list[Alert]:
        """The alerts of open incidents that ended, with this batch or before."""
        just_ended = [
            alert
            for alert in self._alerts.values()
            if not alert.active and alert.incident_id in self._open_incidents
        ]
        alert_ids = {alert.stored_id for alert in just_ended}
        return [
            *just_ended,
            *(
                alert
                for alert in alerts.load_resolved_in_open(self._conn)
                if alert.stored_id not in alert_ids
            ),
        ]

    def resolve_ended_roots(self) -> None:
        """An incident none of whose root alerts is active is over, and its cascades with it."""
        active_faults = {alert.fault for alert in self._alerts.values() if alert.active}
        for incident_id, incident in list(self._open_incidents.items()):
            if incident.fault not in active_faults:
                self._resolve_incident(incident_id, incident)

    def _resolve_incident(self, incident_id: int, incident: Incident) -> None:
        members = [alert for alert in self._alerts.values() if alert.incident_id == incident_id]
        ended = [
            alert.model_copy(update={"resolved_at": alert.resolved_at or self._now}) for alert in members
        ]
        alerts.save(self._conn, ended)
        self._alerts |= {alert.fingerprint: alert for alert in ended}
        del self._open_incidents[incident_id]
        close_incident(
            self._conn,
            incident,
            self._now,
            self._notification_queue,
            actor="firstcause",
            reason="its root is well again",
        )

    def end_stand_ins(self) -> None:
        """What stands for a component that says nothing ends with the last that is attributed to it."""
        causes = {alert.caused_by for alert in self._alerts.values() if alert.active}
        self._end_alerts(
            name for name, alert in self.get_active().items() if _is_stand_in(alert) and name not in causes
        )

    def _end_alerts(self, fingerprints: Iterable[str]) -> None:
        ended = [
            self._alerts[fingerprint].model_copy(update={"resolved_at": self._now})
            for fingerprint in fingerprints
        ]
        alerts.save(self._conn, ended)
        self._alerts |= {alert.fingerprint: alert for alert in ended}

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
        self._alerts |= {name: alert for name, alert in stand_ins.items() if name not in self._alerts}
        causes = choose_causes(self.get_active(), verdicts)
        idle_stand_ins = {name for name in causes if _is_stand_in(self._alerts[name])} - set(causes.values())
        self._end_alerts(name for name in idle_stand_ins if self._alerts[name].stored_id is not None)
        for name in idle_stand_ins:
            del causes[name]
            if self._alerts[name].stored_id is None:
                del self._alerts[name]
        active = self.get_active()
        alerts.save(self._conn, (self._alerts[name] for name in touched if not self._alerts[name].active))
        for incident_group in group_alerts(active, causes, list(self._open_incidents.values())):
            self._apply_group(incident_group, causes, verdicts, touched)

    def _apply_group(
        self,
        incident_group: AlertGroup,
        causes: Mapping[str, str | None],
        verdicts: Mapping[str, Sequence[Verdict]],
        touched: Collection[str],
    ) -> None:
        before = (
            self._open_incidents.get(incident_group.target)
            if incident_group.target is not None
            else self._reopen_recent(incident_group)
        )
        for absorbed_id in incident_group.absorbed:
            self._merge_incident(absorbed_id, before.row_id if before else 0)
        members = [self._alerts[name] for name in incident_group.members]
        roots = [self._alerts[name] for name in incident_group.roots]
        opened_at = before.opened_at if before else self._now
        ended_alerts = [
            alert for alert in self._ended_alerts if before is not None and alert.incident_id == before.row_id
        ]
        after = summarize_incident(members, roots, verdicts, opened_at, self._tenant_count, ended_alerts)
        after = after.model_copy(
            update=_keep_acknowledgement(before, after.priority)
            | {"drill": roots[0].drill, "stored_id": before.stored_id if before else None}
        )
        if after != before:
            after = after.model_copy(update={"stored_id": incidents.save(self._conn, after)})
        joined = [alert for alert in members if alert.incident_id != after.stored_id]
        updated_alerts = [_assign_to_incident(alert, after, causes, verdicts) for alert in members]
        changed = [
            updated
            for updated, previous in zip(updated_alerts, members, strict=True)
            if updated.fingerprint in touched or _has_changed(updated, previous)
        ]
        alerts.save(self._conn, changed)
        if after != before or joined:
            self._record_changes(before, after, members, joined, incident_group.absorbed, verdicts)
            components = {alert.component for alert in members if alert.component is not None}
            only_route = _find_requested_route(roots) if after.drill else None
            self._notification_queue.enqueue(
                self._conn, after, components, self._now, self._doubtful, only_route
            )
        if after.drill and not outbox.has_pending(self._conn, after.row_id):
            actor, reason = incidents.SYSTEM_ACTOR, "no route takes it"
            close_incident(self._conn, after, self._now, self._notification_queue, actor=actor, reason=reason)

    def _reopen_recent(self, incident_group: AlertGroup) -> Incident | None:
        """The incident of this fault that ended by itself a moment ago, open again."""
        incident = incidents.find_recently_ended(
            self._conn, incident_group.fault, self._now - self._reopen_within
        )
        if incident is None:
            return None
        incidents.add_timeline_entry(
            self._conn, incident.row_id, self._now, f"open again: {incident.root.code} is back"
        )
        log.info("incident %s is open again: %s is back", incident.stored_id, incident.root.code)
        return incident

    def _merge_incident(self, absorbed_id: int, target_id: int) -> None:
        incidents.merge(self._conn, absorbed_id, target_id, self._now)
        outbox.cancel(self._conn, absorbed_id)
        outbox.move(self._conn, absorbed_id, target_id)
        log.info("incident %s lives on in incident %s: they have one cause", absorbed_id, target_id)

    def _record_changes(
        self,
        before: Incident | None,
        after: Incident,
        members: Sequence[Alert],
        joined: Sequence[Alert],
        absorbed_ids: Sequence[int],
        verdicts: Mapping[str, Sequence[Verdict]],
    ) -> None:
        """members, joined: as they were before. gone: incidents that live on in this one."""
        incident_id = after.row_id
        if before is None:
            log.info(
                "incident %s opened: %s (%s)",
                incident_id,
                timeline_entries.format_root(after),
                after.priority,
            )
        elif before.fault != after.fault:
            log.info("incident %s: root is now %s", incident_id, timeline_entries.format_root(after))
        if absorbed_ids:
            incidents.add_timeline_entry(
                self._conn,
                incident_id,
                self._now,
                f"took in {timeline_entries.format_incident_list(absorbed_ids)}",
                reason=_MERGE_REASON,
            )
        for what, reason in timeline_entries.describe_changes(before, after, members, verdicts):
            incidents.add_timeline_entry(self._conn, incident_id, self._now, what, reason=reason)
        for what, reason in timeline_entries.describe_joined(joined, after):
            incidents.add_timeline_entry(self._conn, incident_id, self._now, what, reason=reason)
        for other_id, (what, reason) in timeline_entries.describe_moved(
            joined, after, {*absorbed_ids, incident_id}
        ):
            incidents.add_timeline_entry(
                self._conn, incident_id, self._now, f"{what} came from incident {other_id}", reason=reason
            )
            incidents.add_timeline_entry(
                self._conn, other_id, self._now, f"{what} went to incident {incident_id}", reason=reason
            )


def _assign_to_incident(
    alert: Alert,
    incident: Incident,
    causes: Mapping[str, str | None],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> Alert:
    return alert.model_copy(
        update={
            "incident_id": incident.stored_id,
            "role": Role.ROOT if causes[alert.fingerprint] is None else Role.CASCADE,
            "caused_by": causes[alert.fingerprint],
            "verdicts": tuple(verdicts.get(alert.fingerprint, ())),
        }
    )


def _keep_acknowledgement(before: Incident | None, priority: Priority) -> dict[str, object]:
    """What people did; who is at it may not know how bad it has become."""
    if before is None:
        return {}
    if priority.rank > before.priority.rank:
        return {}
    return {name: getattr(before, name) for name in ("acknowledged_at", "acknowledged_by")}


def _find_requested_route(roots: Sequence[Alert]) -> str | None:
    samples = (alert.sample for alert in roots)
    return next((sample.tags.get(ROUTE_TAG) for sample in samples if sample is not None), None)


def _is_stand_in(alert: Alert) -> bool:
    return alert.code == SILENT_CODE


def _has_changed(after: Alert, before: Alert) -> bool:
    """Whether rules conclude otherwise; that the facts they saw are a minute older is no news."""
    return _strip_facts(after) != _strip_facts(before)


def _strip_facts(alert: Alert) -> Alert:
    stripped = tuple(verdict.model_copy(update={"facts": {}}) for verdict in alert.verdicts)
    return alert.model_copy(update={"verdicts": stripped})
