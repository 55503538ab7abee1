"""What a group of alerts changes: the incident as it will be, its alerts, and the lines for timelines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from firstcause.core.incidents.assembly import summarize_incident
from firstcause.core.incidents.flapping import (
    DEFAULT_POLICY,
    assess_flapping,
    find_settled,
    record_transition,
)
from firstcause.core.incidents.root_verdict import keep_root_verdict
from firstcause.core.incidents.timeline_notes import (
    TimelineNote,
    describe_changes,
    describe_joined,
    describe_moved,
    format_incident_list,
)
from firstcause.core.model import IncidentStatus, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.incidents.assembly import AlertGroup
    from firstcause.core.incidents.flapping import FlapPolicy
    from firstcause.core.model import Alert, Incident, Verdict

MERGE_REASON = "same cause"


@dataclass(frozen=True)
class IncidentChange:
    """The change of one incident, as a value; nothing is stored yet.

    before: None if the incident is new. after: without an id if the incident is new.
    absorbed_ids: incidents that are merged into this one.
    changed_alerts: members to save, attributed to the incident; without its id if the incident is new.
    notes: lines for the timeline of the incident, in order.
    moved: id of an incident that loses alerts to this one, with the line for both timelines.
    components: of all members, to match routes.
    is_notable: whether policy decides again on notifications.
    """

    before: Incident | None
    after: Incident
    absorbed_ids: tuple[int, ...]
    changed_alerts: tuple[Alert, ...]
    notes: tuple[TimelineNote, ...]
    moved: tuple[tuple[int, TimelineNote], ...]
    components: frozenset[str]
    is_notable: bool

    @property
    def needs_save(self) -> bool:
        """Whether the incident itself differs from before."""
        return self.after != self.before

    def with_id(self, incident_id: int) -> IncidentChange:
        """Return the same change, of the incident with the id that the store gave it."""
        return replace(
            self,
            after=self.after.model_copy(update={"stored_id": incident_id}),
            changed_alerts=tuple(
                alert.model_copy(update={"incident_id": incident_id}) for alert in self.changed_alerts
            ),
        )


def plan_group(
    before: Incident | None,
    group: AlertGroup,
    alerts: Mapping[str, Alert],
    causes: Mapping[str, str | None],
    verdicts: Mapping[str, Sequence[Verdict]],
    now: datetime,
    *,
    touched: Collection[str] = (),
    known_tenants: int = 0,
    ended_alerts: Sequence[Alert] = (),
    flap_policy: FlapPolicy = DEFAULT_POLICY,
) -> IncidentChange:
    """Plan what a group of alerts changes of its incident.

    before: the incident that the group continues, resolved if the group reopens it, None for a new one.
    alerts, causes, verdicts: by fingerprint, of all members at least.
    touched: fingerprints of alerts to save even if nothing but their count changed.
    known_tenants: how many tenants ever reported anything.
    ended_alerts: alerts of the incident that are no longer active.
    """
    members = [alerts[name] for name in group.members]
    root_alerts = [alerts[name] for name in group.roots]
    after = summarize_incident(
        members, root_alerts, verdicts, before.opened_at if before else now, known_tenants, ended_alerts
    )
    after = after.model_copy(
        update={"drill": root_alerts[0].drill, "stored_id": before.stored_id if before else None}
    )
    after = _keep_acknowledgement(before, after)
    after = _continue_transitions(before, after, now, flap_policy)
    root_verdicts = [verdict for name in group.roots for verdict in verdicts.get(name, ())]
    after = keep_root_verdict(before, after, root_verdicts)
    joined = [alert for alert in members if before is None or alert.incident_id != before.stored_id]
    joined_names = {alert.fingerprint for alert in joined}
    attributed = [(alert, _attribute(alert, after, causes, verdicts)) for alert in members]
    changed_alerts = [
        updated
        for previous, updated in attributed
        if previous.fingerprint in touched
        or previous.fingerprint in joined_names
        or _has_changed(updated, previous)
    ]
    is_notable = after != before or bool(joined)
    return IncidentChange(
        before=before,
        after=after,
        absorbed_ids=group.absorbed,
        changed_alerts=tuple(changed_alerts),
        notes=_describe(before, after, group.absorbed, members, joined, verdicts) if is_notable else (),
        moved=tuple(describe_moved(joined, after, group.absorbed)),
        components=frozenset(alert.component for alert in members if alert.component is not None),
        is_notable=is_notable,
    )


def _keep_acknowledgement(before: Incident | None, after: Incident) -> Incident:
    """Keep who acknowledged the incident while it lasts, unless its priority rose since.

    Somebody who acknowledged a P2 may not know that it became a P0, so reminders and escalations start again.
    So does somebody who was notified that the incident is resolved: for them it is over.
    """
    if before is None or before.status is IncidentStatus.RESOLVED:
        return after
    if after.priority.rank > before.priority.rank:
        return after
    return after.model_copy(
        update={"acknowledged_at": before.acknowledged_at, "acknowledged_by": before.acknowledged_by}
    )


def _continue_transitions(
    before: Incident | None, after: Incident, now: datetime, policy: FlapPolicy
) -> Incident:
    """Record that the root is active, and assess whether it flaps; a new root has no past."""
    if after.drill:
        return after
    if before is None or before.fault != after.fault:
        return after.model_copy(update={"transitions": record_transition((), now, firing=True)})
    was_flapping = before.flapping if before.status is IncidentStatus.OPEN else None
    earlier = before.transitions
    if was_flapping is not None and find_settled(earlier, policy, now) is not None:
        # It held still, so what was before that no longer counts.
        earlier, was_flapping = earlier[-1:] if earlier[-1].firing else (), None
    transitions = record_transition(earlier, now, firing=True)
    flapping = assess_flapping(transitions, was_flapping, policy, now)
    return after.model_copy(update={"transitions": transitions, "flapping": flapping})


def _attribute(
    alert: Alert,
    incident: Incident,
    causes: Mapping[str, str | None],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> Alert:
    cause = causes[alert.fingerprint]
    role = Role.ROOT if cause is None else Role.CASCADE
    alert_verdicts = verdicts.get(alert.fingerprint, ())
    # Nearly all alerts of a storm stay as they are, and verdicts that were not derived again are the same.
    if alert_verdicts is alert.verdicts and (incident.stored_id, role, cause) == (
        alert.incident_id,
        alert.role,
        alert.caused_by,
    ):
        return alert
    return alert.model_copy(
        update={
            "incident_id": incident.stored_id,
            "role": role,
            "caused_by": cause,
            "verdicts": tuple(alert_verdicts),
        }
    )


def _has_changed(after: Alert, before: Alert) -> bool:
    """Whether the rules conclude something else. Facts that only grew older are not a change."""
    if after is before:
        return False
    return _strip_facts(after) != _strip_facts(before)


def _strip_facts(alert: Alert) -> Alert:
    stripped = tuple(verdict.model_copy(update={"facts": {}}) for verdict in alert.verdicts)
    return alert.model_copy(update={"verdicts": stripped})


def _describe(
    before: Incident | None,
    after: Incident,
    absorbed_ids: Sequence[int],
    members: Sequence[Alert],
    joined: Sequence[Alert],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> tuple[TimelineNote, ...]:
    notes: list[TimelineNote] = []
    if before is not None and before.status is IncidentStatus.RESOLVED:
        notes.append(TimelineNote(f"open again: {before.root.code} is back"))
    if absorbed_ids:
        notes.append(TimelineNote(f"merged {format_incident_list(absorbed_ids)} into this one", MERGE_REASON))
    notes += describe_changes(before, after, members, verdicts)
    notes += describe_joined(joined, after)
    return tuple(notes)
