"""Words the lines of a timeline that changes of an incident make: what changed, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.incidents.flapping import describe_flapping
from firstcause.core.model import IncidentStatus, VerdictKind
from firstcause.core.root_cause.attribution import strongest
from firstcause.core.text.listing import join_limited

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from firstcause.core.model import Alert, Incident, Verdict

    VerdictsByAlert = Mapping[str, Sequence[Verdict]]

_MAX_LISTED = 5


class TimelineNote(NamedTuple):
    """One line of a timeline: what changed, and the reason where one is known."""

    what: str
    reason: str | None = None


def format_root(incident: Incident) -> str:
    """Format the root's code, with its service where one is known."""
    root = incident.root
    return f"{root.code} at {root.service}" if root.service is not None else root.code


def describe_changes(
    before: Incident | None, after: Incident, members: Sequence[Alert], verdicts: VerdictsByAlert
) -> Iterator[TimelineNote]:
    """Yield a line for every change of an incident.

    before: None if the incident is new.
    members: the active alerts of the incident.
    """
    roots = [alert for alert in members if alert.fault == after.fault]
    reason = _find_reason(roots, verdicts, VerdictKind.ROOT_CAUSE)
    if before is None:
        yield TimelineNote(f"opened: {format_root(after)}", reason)
        return
    if before.fault != after.fault:
        yield TimelineNote(f"root is now {format_root(after)}, no longer {format_root(before)}", reason)
    if before.fault == after.fault:
        yield from _describe_flapping_change(before, after)
    if before.suppressed != after.suppressed:
        what = "notifications muted" if after.suppressed else "notifications resumed"
        yield TimelineNote(what, _find_reason(roots, verdicts, VerdictKind.SUPPRESS))
    if before.priority != after.priority:
        yield TimelineNote(
            f"priority {before.priority} -> {after.priority}", _find_priority_reason(after, members, verdicts)
        )
    if before.acknowledged_at is not None and after.acknowledged_at is None:
        is_back = before.status is IncidentStatus.RESOLVED
        reason = "it was over" if is_back else "it is more urgent than when it was acknowledged"
        yield TimelineNote("no longer acknowledged", reason)


def _describe_flapping_change(before: Incident, after: Incident) -> Iterator[TimelineNote]:
    was_flapping = before.status is IncidentStatus.OPEN and before.flapping is not None
    if after.flapping is not None and not was_flapping:
        yield TimelineNote(f"flapping: {describe_flapping(after.flapping)}", "it ends and returns")
    if after.flapping is None and was_flapping and before.flapping is not None:
        yield TimelineNote("no longer flapping: it lasts", f"it flapped {describe_flapping(before.flapping)}")


def describe_joined(joined: Iterable[Alert], after: Incident) -> Iterator[TimelineNote]:
    """Yield a line a code for new alerts that follow from the root.

    joined: alerts that are new to the incident, as they were before they joined.
    """
    counts = Counter(
        alert.code for alert in joined if alert.incident_id is None and alert.fault != after.fault
    )
    for code, count in sorted(counts.items()):
        yield TimelineNote(f"{code} joined{_format_alert_count(count)}", f"cascade of {format_root(after)}")


def describe_moved(
    joined: Iterable[Alert], after: Incident, merged_ids: Collection[int]
) -> Iterator[tuple[int, TimelineNote]]:
    """Yield the id of each incident that alerts left for this one, with the line for it.

    joined: alerts that are new to the incident, as they were before they joined.
    merged_ids: incidents that were merged into this one, which get no such line.
    """
    counts = Counter(
        (alert.incident_id, alert.code, alert.fault == after.fault)
        for alert in joined
        if alert.incident_id is not None and alert.incident_id not in merged_ids
    )
    for (incident_id, code, is_root), count in sorted(counts.items()):
        reason = "it has a cause of its own" if is_root else f"cascade of {format_root(after)}"
        yield incident_id, TimelineNote(f"{code}{_format_alert_count(count)}", reason)


def format_incident_list(incident_ids: Sequence[int]) -> str:
    """Format ids as `incident 2` or `incidents 2, 3 and 4 more`."""
    return f"incident{'s' if len(incident_ids) > 1 else ''} {join_limited(incident_ids, _MAX_LISTED)}"


def _format_alert_count(count: int) -> str:
    return f" ({count} alerts)" if count > 1 else ""


def _find_reason(alerts: Iterable[Alert], verdicts: VerdictsByAlert, kind: VerdictKind) -> str | None:
    """Find the reason of the strongest verdict of one kind."""
    candidates = (verdict for alert in alerts for verdict in verdicts.get(alert.fingerprint, ()))
    strongest_verdict = strongest(candidates, kind)
    return strongest_verdict.because if strongest_verdict else None


def _find_priority_reason(after: Incident, members: Iterable[Alert], verdicts: VerdictsByAlert) -> str | None:
    candidates = (
        verdict
        for alert in members
        for verdict in verdicts.get(alert.fingerprint, ())
        if verdict.impact is not None and verdict.impact.priority is after.priority
    )
    strongest_verdict = strongest(candidates, VerdictKind.IMPACT)
    return strongest_verdict.because if strongest_verdict else None
