"""The words of what is said of an incident, out of the store and the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.incidents.debug_report import as_text, debug_report, why_root
from firstcause.core.model import IncidentStatus, Notification, NotifyReason, Role
from firstcause.core.notify.message import Brief, Held, body, digest_body, digest_text, digest_title, text
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.catalog import Catalog
    from firstcause.core.incidents.debug_report import DebugReport
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.model import Alert, Incident
    from firstcause.core.privacy.masking import Mask
    from firstcause.health.change_finder import WhatChanged
    from firstcause.incidents.suggestions import Learned
    from firstcause.store.outbox import Waiting


@dataclass(frozen=True)
class Wording:
    """link: base URL of the page."""

    catalog: Catalog
    what_changed: WhatChanged
    learned: Learned
    mask: Mask
    link: str | None = None

    def of(
        self, conn: sa.Connection, row: Waiting, incident: Incident, now: datetime, *, worse: bool
    ) -> tuple[Notification, DebugReport]:
        """One message about one incident. worse: it is more urgent than what its readers were told."""
        members = alerts.of_incidents(conn, [row.incident_id])[row.incident_id]
        timeline = incidents.timeline_of(conn, row.incident_id)
        changes = self.what_changed.before(conn, incident)
        known = self.learned.of(conn, incident)
        report = debug_report(
            incident, members, self.catalog, now, timeline=timeline, changes=changes, suggestions=known
        )
        brief = self._brief(row, incident, members, known, now, worse=worse)
        notification = Notification(
            id=_id(row, incident),
            incident_id=str(row.incident_id),
            reason=row.reason,
            priority=incident.priority,
            severity=incident.severity,
            code=incident.root.code,
            title=incident.title,
            text=self.mask.text(text(brief)),
            body=self.mask.text(body(brief, as_text(report))),
            opened_at=incident.opened_at,
            incidents=(str(row.incident_id),),
            drill=incident.drill,
            maybe_repeat=row.maybe_repeat,
        )
        return notification, report

    def together(self, row: Waiting, found: Sequence[Incident], since: datetime) -> Notification:
        """One message about several incidents, the most urgent first. row: the one that stands for all."""
        held = [_held(each) for each in found]
        lead = found[0]
        links = {each.incident_id: self._page(each.incident_id) for each in held} if self.link else {}
        return Notification(
            id=f"{_id(row, lead)}-{len(held)}",
            incident_id=str(lead.stored_id),
            reason=NotifyReason.DIGEST,
            priority=lead.priority,
            severity=lead.severity,
            code=lead.root.code,
            title=digest_title(held, since),
            text=self.mask.text(digest_text(held, since)),
            body=self.mask.text(digest_body(held, since, links)),
            opened_at=lead.opened_at,
            incidents=tuple(each.incident_id for each in held),
            maybe_repeat=row.maybe_repeat,
        )

    def _page(self, number: str) -> str:
        return f"{(self.link or '').rstrip('/')}/incidents/{number}"

    def _brief(
        self,
        row: Waiting,
        incident: Incident,
        members: Sequence[Alert],
        known: Sequence[Suggestion],
        now: datetime,
        *,
        worse: bool,
    ) -> Brief:
        entry = self.catalog.get(incident.root.code)
        best = why_root(incident, members)
        over = incident.resolved_at
        return Brief(
            incident_id=str(row.incident_id),
            reason=row.reason,
            severity=incident.severity,
            priority=incident.priority,
            code=incident.root.code,
            title=incident.title,
            because=best.because if best else None,
            services=tuple(sorted({alert.service for alert in members if alert.service is not None})),
            companies=incident.impact.companies,
            companies_known=incident.impact.companies_known,
            cascades=sum(alert.role is Role.CASCADE for alert in members),
            events=sum(alert.count for alert in members),
            first_step=entry.fix.steps[0] if entry and entry.fix.steps else None,
            fix_url=entry.fix.url if entry else None,
            last_time=f"{known[0].fix} ({known[0].because})" if known else None,
            link=self._page(str(row.incident_id)) if self.link else None,
            opened_at=incident.opened_at,
            now=now,
            duration=(over - incident.opened_at).total_seconds() if over is not None else None,
            worse=worse,
            drill=incident.drill,
            maybe_repeat=row.maybe_repeat,
        )


def _held(incident: Incident) -> Held:
    return Held(
        incident_id=str(incident.stored_id),
        priority=incident.priority,
        title=incident.title,
        over=incident.status is not IncidentStatus.OPEN,
    )


def _id(row: Waiting, incident: Incident) -> str:
    """Stores count from 1, so the time tells one store's messages from those of another."""
    return f"{row.incident_id}-{row.id}-{incident.opened_at:%Y%m%dT%H%M%S}"
