"""The reason why an incident has its root, which stays when the incident is over.

An error ends piece by piece: the variable is set again before the probe is UP, so that for a moment only a
weak rule speaks. A reader of the incident wants the reason that was true while it lasted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import IncidentStatus, VerdictKind
from firstcause.core.root_cause.attribution import strongest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firstcause.core.model import Alert, Incident, Verdict


def keep_root_verdict(before: Incident | None, after: Incident, verdicts: Iterable[Verdict]) -> Incident:
    """Return the incident with the strongest verdict about its root, of now or of before.

    before: the incident that it continues; one that was resolved, or had another root, begins afresh.
    verdicts: those about its root alerts now.
    """
    is_same = before is not None and before.status is IncidentStatus.OPEN and before.fault == after.fault
    earlier = before.root_verdict if before is not None and is_same else None
    current = strongest(verdicts, VerdictKind.ROOT_CAUSE)
    if current is not None:
        # Facts only grow older; the incident has not changed because of that.
        current = current.model_copy(update={"facts": {}})
    candidates = [verdict for verdict in (earlier, current) if verdict is not None]
    # Of equal ones the earlier stays, so that nothing is saved again.
    return after.model_copy(update={"root_verdict": strongest(candidates, VerdictKind.ROOT_CAUSE)})


def restore_root_verdict(alert: Alert, incident: Incident) -> Alert:
    """Return an alert of a resolved incident with the verdict that the incident kept about it."""
    kept = incident.root_verdict
    if kept is None or kept.of != alert.fingerprint:
        return alert
    current = strongest(alert.verdicts, VerdictKind.ROOT_CAUSE)
    if current is not None and (current.priority, current.confidence) >= (kept.priority, kept.confidence):
        return alert
    others = (verdict for verdict in alert.verdicts if verdict.verdict is not VerdictKind.ROOT_CAUSE)
    return alert.model_copy(update={"verdicts": (kept, *others)})
