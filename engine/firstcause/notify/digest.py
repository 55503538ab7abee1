"""One message about several incidents, for what a notifier's rate limit has held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.model import IncidentStatus
from firstcause.core.notify.policy import NotificationState, still_relevant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from firstcause.core.model import Incident
    from firstcause.store.outbox import PendingMessage


@dataclass(frozen=True)
class Digest:
    """Several held-back messages as one.

    incidents: all that the digest names, the most urgent first, resolved ones last.
    rows: messages about open incidents, the one about the first incident first.
    resolved_rows: messages about incidents that were resolved meanwhile; the digest mentions them.
    stale_rows: messages that are no longer relevant; the digest leaves them out.
    incident_by_row: the incident of each message, by the id of its row.
    since: when the first of the incidents was opened.
    """

    incidents: tuple[Incident, ...]
    rows: tuple[PendingMessage, ...]
    resolved_rows: tuple[PendingMessage, ...]
    stale_rows: tuple[PendingMessage, ...]
    incident_by_row: Mapping[int, Incident]
    since: datetime


def plan_digest(rows: Sequence[PendingMessage], incident_by_row: Mapping[int, Incident]) -> Digest | None:
    """Plan one message for all rows; None unless they are about two open incidents or more.

    incident_by_row: by the id of the row.
    """
    resolved_rows, current_rows, stale_rows = [], [], []
    for row in rows:
        incident = incident_by_row[row.id]
        if incident.status is IncidentStatus.RESOLVED:
            resolved_rows.append(row)
        elif still_relevant(row.reason, incident, NotificationState()):
            current_rows.append(row)
        else:
            stale_rows.append(row)
    if len({incident_by_row[row.id].row_id for row in current_rows}) < 2:  # noqa: PLR2004
        return None
    named_incidents = [incident_by_row[row.id] for row in (*current_rows, *resolved_rows)]
    ordered = sorted(
        {incident.row_id: incident for incident in named_incidents}.values(), key=_get_urgency_key
    )
    lead = next(row for row in current_rows if incident_by_row[row.id].row_id == ordered[0].row_id)
    return Digest(
        incidents=tuple(ordered),
        rows=(lead, *(row for row in current_rows if row is not lead)),
        resolved_rows=tuple(resolved_rows),
        stale_rows=tuple(stale_rows),
        incident_by_row=incident_by_row,
        since=min(incident.opened_at for incident in named_incidents),
    )


def _get_urgency_key(incident: Incident) -> tuple[bool, int, int]:
    is_open = incident.status is IncidentStatus.OPEN
    return not is_open, -incident.priority.rank, incident.row_id
