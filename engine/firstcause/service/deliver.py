"""Says what waits in the outbox: claim, make the text, let a notifier try, write down what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.attribution import strongest
from firstcause.core.message import Brief, body, text
from firstcause.core.model import Incident, IncidentStatus, Notification, NotifyReason, Role, VerdictKind
from firstcause.core.report import as_text, debug_report
from firstcause.notify.attempt import Outcome, after_failure, attempt
from firstcause.notify.routes import first_able
from firstcause.store import alerts, incidents, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.catalog import Catalog
    from firstcause.core.masking import Mask
    from firstcause.core.model import Alert
    from firstcause.hookspecs.types import Notifier
    from firstcause.store.database import Database

log = logging.getLogger("firstcause.notify")


@dataclass(frozen=True)
class _Ready:
    """A row whose text is made and whose notifier is chosen."""

    row: outbox.Waiting
    place: int
    notifier: Notifier
    notification: Notification
    intelligence: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """Delivers from one outbox. tries: how many each notifier of a route has; link: base URL of the page."""

    database: Database
    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    mask: Mask
    tries: int
    link: str | None = None

    def run(self, now: datetime) -> int:
        """Deliver what is due; returns how many rows were tried."""
        with self.database.write() as conn:
            rows = outbox.claim(conn, now)
        for row in rows:
            ready = self._prepare(row, now)
            if ready is not None:
                self._record(ready, attempt(ready.notifier, ready.notification), now)
        return len(rows)

    def _prepare(self, row: outbox.Waiting, now: datetime) -> _Ready | None:
        with self.database.write() as conn:
            incident = incidents.get(conn, str(row.incident_id))
            members = alerts.of_incidents(conn, [row.incident_id])[row.incident_id]
            if incident.status is not IncidentStatus.OPEN and row.reason is not NotifyReason.RESOLVED:
                outbox.close(conn, row.id, "cancelled", "the incident was over before it was said")
                return None
            place = first_able(row.notifiers, row.position, _broken(incident, members), self.notifiers)
            if place is None:
                outbox.close(conn, row.id, "given up", "no notifier of the route can speak")
                log.error("incident %s: no notifier of route %s can speak", row.incident_id, row.route)
                return None
            outbox.under_way(conn, row.id, incident.fault)
            report = debug_report(
                incident, members, self.catalog, now, timeline=incidents.timeline_of(conn, row.incident_id)
            )
        brief = _brief(incident, members, self.catalog, row, self.link, now)
        notification = Notification(
            incident_id=str(row.incident_id),
            reason=row.reason,
            priority=incident.priority,
            severity=incident.severity,
            code=incident.root.code,
            title=incident.title,
            text=self.mask.text(text(brief)),
            body=self.mask.text(body(brief, as_text(report))),
            opened_at=incident.opened_at,
            maybe_repeat=row.maybe_repeat,
        )
        notifier = self.notifiers[row.notifiers[place]]
        return _Ready(row, place, notifier, notification, report.model_dump(mode="json"))

    def _record(self, ready: _Ready, outcome: Outcome, now: datetime) -> None:
        error = self.mask.text(outcome.error) if outcome.error is not None else None
        with self.database.write() as conn:
            outbox.log(conn, _log_line(ready, outcome, error, now))
            if error is None:
                outbox.close(conn, ready.row.id, "sent")
                what = f"said by {ready.notifier.name}: {ready.notification.reason}"
                incidents.note(conn, ready.row.incident_id, now, what)
                log.info("incident %s: %s", ready.row.incident_id, what)
            else:
                self._failed(conn, ready, outcome, error, now)

    def _failed(
        self, conn: sa.Connection, ready: _Ready, outcome: Outcome, error: str, now: datetime
    ) -> None:
        row, name = ready.row, ready.notifier.name
        attempts = row.attempts if ready.place == row.position else 0
        again = after_failure(
            outcome, position=ready.place, attempts=attempts, notifiers=len(row.notifiers), tries=self.tries
        )
        if again is None:
            outbox.close(conn, row.id, "given up", error)
            log.error(
                "incident %s: notifier %s failed and no other is left: %s", row.incident_id, name, error
            )
            return
        outbox.later(
            conn,
            row.id,
            due_at=now + timedelta(seconds=again.wait),
            position=again.position,
            attempts=again.attempts,
            error=error,
        )
        then = (
            f"again in {again.wait:g} s"
            if again.position == ready.place
            else f"{row.notifiers[again.position]} takes over"
        )
        log.warning("incident %s: notifier %s failed: %s; %s", row.incident_id, name, error, then)


def _broken(incident: Incident, members: Sequence[Alert]) -> frozenset[str]:
    """The components that the incident is about; none once it is over."""
    if incident.status is not IncidentStatus.OPEN:
        return frozenset()
    return frozenset(alert.component for alert in members if alert.component is not None and alert.active)


def _brief(
    incident: Incident,
    members: Sequence[Alert],
    catalog: Catalog,
    row: outbox.Waiting,
    link: str | None,
    now: datetime,
) -> Brief:
    entry = catalog.get(incident.root.code)
    roots = (alert for alert in members if alert.role is Role.ROOT)
    best = strongest((verdict for alert in roots for verdict in alert.verdicts), VerdictKind.ROOT_CAUSE)
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
        link=f"{link.rstrip('/')}/incidents/{row.incident_id}" if link else None,
        opened_at=incident.opened_at,
        now=now,
        duration=(over - incident.opened_at).total_seconds() if over is not None else None,
        maybe_repeat=row.maybe_repeat,
    )


def _log_line(ready: _Ready, outcome: Outcome, error: str | None, now: datetime) -> dict[str, Any]:
    said = ready.notification
    return {
        "incident_id": ready.row.incident_id,
        "outbox_id": ready.row.id,
        "at": now,
        "reason": said.reason.value,
        "notifier": ready.notifier.name,
        "status": "sent" if error is None else "failed",
        "code": said.code,
        "severity": said.severity.value,
        "priority": said.priority.value,
        "text": said.text,
        "reference": outcome.reference,
        "error": error,
        "maybe_repeat": said.maybe_repeat,
        "intelligence": dict(ready.intelligence),
    }
