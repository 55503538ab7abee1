"""Applies verdicts: opens, extends, re-roots, merges and resolves incidents, and queues notifications."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause.core.incidents.assembly import group_alerts
from firstcause.core.incidents.flapping import describe_flapping, find_settled, record_transition
from firstcause.core.incidents.incident_change import MERGE_REASON, plan_group
from firstcause.core.incidents.root_verdict import restore_root_verdict
from firstcause.core.incidents.timeline_notes import format_root
from firstcause.core.model import IncidentStatus
from firstcause.core.root_cause.attribution import choose_causes
from firstcause.core.root_cause.suspects import SILENT_CODE
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.queue import ROUTE_TAG
from firstcause.store import alerts, daemon_runs, incidents, outbox, receiver_states

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.incidents.assembly import AlertGroup
    from firstcause.core.incidents.flapping import FlapPolicy
    from firstcause.core.incidents.incident_change import IncidentChange
    from firstcause.core.model import Alert, Incident, Verdict
    from firstcause.notify.queue import NotificationQueue

log = logging.getLogger("firstcause.incidents")

ROOT_ENDED_REASON = "its root cause is resolved"


class IncidentUpdater:
    """Applies the changes of one batch to alerts and incidents, within one transaction.

    alerts_by_fingerprint: every alert that is active or that the batch changed, either of drills or of
        real errors, never both.
    reopen_within_s: seconds within which an error that returns continues its incident.
    flap_policy: when an incident flaps.
    """

    def __init__(
        self,
        conn: sa.Connection,
        alerts_by_fingerprint: Mapping[str, Alert],
        now: datetime,
        notification_queue: NotificationQueue,
        reopen_within_s: float,
        flap_policy: FlapPolicy,
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
        is_any_flapping = any(incident.flapping is not None for incident in self._open_incidents.values())
        downtimes = tuple(daemon_runs.load_downtimes(conn)) if is_any_flapping else ()
        self._flap_policy = replace(flap_policy, downtimes=downtimes)

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
        """Find the alerts of open incidents that ended, with this batch or before."""
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
        """End the alerts of each incident without an active root alert, and resolve the incident.

        An incident that flaps stays open until its root has been away for long.
        """
        active_faults = {alert.fault for alert in self._alerts.values() if alert.active}
        for incident in list(self._open_incidents.values()):
            if incident.fault not in active_faults:
                self._end_members(incident)
                self._resolve_or_pause(incident)

    def _end_members(self, incident: Incident) -> None:
        members = [alert for alert in self._alerts.values() if alert.incident_id == incident.row_id]
        ended = [
            restore_root_verdict(alert, incident).model_copy(
                update={"resolved_at": alert.resolved_at or self._now}
            )
            for alert in members
        ]
        alerts.save(self._conn, ended)
        self._alerts |= {alert.fingerprint: alert for alert in ended}

    def _resolve_or_pause(self, incident: Incident) -> None:
        ended = record_transition(incident.transitions, self._now, firing=False)
        if incident.flapping is None:
            self._resolve_incident(incident.model_copy(update={"transitions": ended}), ROOT_ENDED_REASON)
        elif find_settled(incident.transitions, self._flap_policy, self._now) is not None:
            # The past no longer counts, so what returns after that is not flapping at once.
            settled = incident.model_copy(update={"transitions": ()})
            reason = f"{ROOT_ENDED_REASON}; it flapped {describe_flapping(incident.flapping)}"
            self._resolve_incident(settled, reason)
        elif not incident.is_paused:
            paused = incident.model_copy(update={"transitions": ended})
            incidents.save(self._conn, paused)
            self._open_incidents[incident.row_id] = paused

    def _resolve_incident(self, incident: Incident, reason: str) -> None:
        del self._open_incidents[incident.row_id]
        self._close_incident(incident, reason)

    def end_stand_ins(self) -> None:
        """End each alert that stands for a silent component once no alert is attributed to it."""
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
        """Attribute every active alert to its cause, and update the open incidents accordingly.

        touched: fingerprints of alerts that the batch counted or changed.
        stand_ins: alerts for components that report nothing; used only where a cause needs one.
        doubtful: pairs of faults, a root and the notified root, that are about equally likely: the new root
            is shown, and nobody is notified of the switch.
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
        active_faults = {alert.fault for alert in active.values()}
        # A paused incident waits for its own root; no alert of another fault may take it over meanwhile.
        open_incidents = [
            incident
            for incident in self._open_incidents.values()
            if not incident.is_paused or incident.fault in active_faults
        ]
        for incident_group in group_alerts(active, causes, open_incidents):
            self._apply_group(incident_group, causes, verdicts, touched)

    def _apply_group(
        self,
        group: AlertGroup,
        causes: Mapping[str, str | None],
        verdicts: Mapping[str, Sequence[Verdict]],
        touched: Collection[str],
    ) -> None:
        before = self._find_continued(group)
        incident_ids = {*group.absorbed, *([before.row_id] if before is not None else [])}
        ended_alerts = [alert for alert in self._ended_alerts if alert.incident_id in incident_ids]
        change = plan_group(
            before,
            group,
            self._alerts,
            causes,
            verdicts,
            self._now,
            touched=touched,
            known_tenants=self._tenant_count,
            ended_alerts=ended_alerts,
            flap_policy=self._flap_policy,
        )
        root_alerts = [self._alerts[name] for name in group.roots]
        self._apply_change(change, _find_requested_route(root_alerts))

    def _find_continued(self, group: AlertGroup) -> Incident | None:
        """Find the incident that the group continues: an open one, else one that just ended by itself."""
        if group.target is not None:
            return self._open_incidents[group.target]
        return incidents.find_recently_ended(self._conn, group.fault, self._now - self._reopen_within)

    def _apply_change(self, change: IncidentChange, requested_route: str | None) -> None:
        """Store a planned change, and queue the messages that policy wants because of the change.

        requested_route: the route that a drill asks for, None for all routes that match.
        """
        for absorbed_id in change.absorbed_ids:
            self._merge_incident(absorbed_id, change.after.row_id)
        if change.needs_save:
            change = change.with_id(incidents.save(self._conn, change.after))
        incident = change.after
        alerts.save(self._conn, change.changed_alerts)
        if change.is_notable:
            self._record_notes(change)
            self._notification_queue.enqueue(
                self._conn,
                incident,
                change.components,
                self._now,
                self._doubtful,
                requested_route if incident.drill else None,
            )
        if incident.drill and not outbox.has_pending(self._conn, incident.row_id):
            self._close_incident(incident, "no route takes it")

    def _merge_incident(self, absorbed_id: int, target_id: int) -> None:
        incidents.merge(self._conn, absorbed_id, target_id, self._now)
        outbox.cancel(self._conn, absorbed_id)
        outbox.move(self._conn, absorbed_id, target_id)
        receiver_states.move(self._conn, absorbed_id, target_id)
        log.info("incident %s merged into incident %s: %s", absorbed_id, target_id, MERGE_REASON)

    def _close_incident(self, incident: Incident, reason: str) -> None:
        close_incident(
            self._conn,
            incident,
            self._now,
            self._notification_queue,
            actor=incidents.SYSTEM_ACTOR,
            reason=reason,
        )

    def _record_notes(self, change: IncidentChange) -> None:
        incident_id = change.after.row_id
        _log_change(change)
        for what, reason in change.notes:
            self._add_timeline_entry(incident_id, what, reason)
        for source_id, (what, reason) in change.moved:
            self._add_timeline_entry(incident_id, f"{what} came from incident {source_id}", reason)
            self._add_timeline_entry(source_id, f"{what} went to incident {incident_id}", reason)

    def _add_timeline_entry(self, incident_id: int, what: str, reason: str | None) -> None:
        incidents.add_timeline_entry(self._conn, incident_id, self._now, what, reason=reason)


def _log_change(change: IncidentChange) -> None:
    before, after = change.before, change.after
    if before is None:
        log.info("incident %s opened: %s (%s)", after.row_id, format_root(after), after.priority)
        return
    if before.status is IncidentStatus.RESOLVED:
        log.info("incident %s reopened: %s is back", after.row_id, before.root.code)
    if before.fault != after.fault:
        log.info("incident %s: root is now %s", after.row_id, format_root(after))


def _find_requested_route(roots: Sequence[Alert]) -> str | None:
    samples = (alert.sample for alert in roots)
    return next((sample.tags.get(ROUTE_TAG) for sample in samples if sample is not None), None)


def _is_stand_in(alert: Alert) -> bool:
    return alert.code == SILENT_CODE
