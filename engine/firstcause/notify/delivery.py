"""Says what waits in the outbox: claim, make the text, let a notifier try, write down what came of it."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import Incident, IncidentStatus, NotifyReason
from firstcause.core.notify.policy import Told, still_worth
from firstcause.core.notify.rate_limit import free_at
from firstcause.incidents.lifecycle import close_incident
from firstcause.notify.attempt import Outcome, after_failure, attempt
from firstcause.notify.routes import first_able
from firstcause.store import alerts, incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.config import Limit, Notify
    from firstcause.core.model import Alert, Notification
    from firstcause.hookspecs.types import Notifier
    from firstcause.notify.composer import Wording
    from firstcause.notify.queue import Announcer
    from firstcause.store.database import Database
    from firstcause.store.outbox import Waiting

log = logging.getLogger("firstcause.notify")

_MESSAGES = {
    NotifyReason.FIRST: "first message",
    NotifyReason.NEW_ROOT: "new cause",
    NotifyReason.ESCALATED: "escalation",
    NotifyReason.REMINDER: "reminder",
    NotifyReason.RESOLVED: "recovery",
}
_MANY = "with others that a limit had held back"


@dataclass(frozen=True)
class _Ready:
    """A message whose text is made and whose notifier is chosen. place: of the notifier in the route.

    rows: those that it says; over: those that it mentions, of incidents that are over by now.
    """

    rows: Sequence[Waiting]
    place: int
    notifier: Notifier
    notification: Notification
    intelligence: Mapping[str, Any] = field(default_factory=dict)
    over: Sequence[Waiting] = ()


@dataclass(frozen=True)
class Delivery:
    """Delivers from one outbox."""

    database: Database
    notifiers: Mapping[str, Notifier]
    wording: Wording
    announcer: Announcer
    notify: Notify

    def run(self, now: datetime) -> int:
        """Deliver what is due; returns how many rows were tried."""
        with self.database.write() as conn:
            rows = outbox.claim(conn, now)
        held: dict[str, list[Waiting]] = defaultdict(list)
        for row in rows:
            if row.held_by is not None and row.held_by in row.notifiers:
                held[row.held_by].append(row)
            else:
                self._say(self._prepare(row, now), now)
        for name, group in held.items():
            for ready in self._together(name, group, now):
                self._say(ready, now)
        return len(rows)

    def _say(self, ready: _Ready | None, now: datetime) -> None:
        if ready is not None:
            self._record(ready, attempt(ready.notifier, ready.notification), now)

    def _prepare(self, row: Waiting, now: datetime) -> _Ready | None:
        with self.database.write() as conn:
            if not outbox.waits(conn, row.id):
                return None
            incident = incidents.get(conn, str(row.incident_id))
            told = notification_state.told(conn, row.incident_id, without=row.id).get(row.route, Told())
            if not still_worth(row.reason, incident, told):
                outbox.close(conn, row.id, "cancelled", now, "it was no longer worth saying")
                self._note(conn, row, now, f"{_MESSAGES[row.reason]} not sent", "no longer worth saying")
                return None
            if (until := self._quiet_until(row.route, incident, now)) is not None:
                outbox.wait(conn, row, until)
                self._note(conn, row, now, f"held back until {_clock(until)}", "quiet hours")
                return None
            members = alerts.of_incidents(conn, [row.incident_id])[row.incident_id]
            place = first_able(row.notifiers, row.position, _broken(incident, members), self.notifiers)
            if place is None:
                outbox.close(conn, row.id, "given up", now, "no notifier of the route can speak")
                self._note(conn, row, now, "nobody could be told", "no notifier of the route can speak")
                log.error("incident %s: no notifier of route %s can speak", row.incident_id, row.route)
                self._end_drill(conn, incident, now)
                return None
            name = row.notifiers[place]
            if passed := row.notifiers[row.position : place]:
                why = "what it stands on is broken, or no plugin offers it"
                self._note(conn, row, now, f"{', '.join(passed)} passed over", why)
            if (until := self._full_until(conn, name, incident, now)) is not None:
                outbox.wait(conn, row, until, place, held_by=name)
                if row.held_by is None:
                    what = f"held back until {_clock(until)}"
                    self._note(conn, row, now, what, f"{name} has sent as many messages as it may")
                log.warning(
                    "incident %s: notifier %s has had its limit; held back until %s",
                    row.incident_id, name, until.isoformat(timespec="seconds"),
                )  # fmt: skip
                return None
            outbox.under_way(conn, row.id, incident.fault, incident.priority)
            worse = told.said_priority is not None and incident.priority.rank > told.said_priority.rank
            notification, report = self.wording.of(conn, row, incident, now, worse=worse)
        return _Ready([row], place, self.notifiers[name], notification, report.model_dump(mode="json"))

    def _note(self, conn: sa.Connection, row: Waiting, now: datetime, what: str, reason: str) -> None:
        incidents.note(conn, row.incident_id, now, f"route {row.route}: {what}", reason=reason)

    def _quiet_until(self, route: str, incident: Incident, now: datetime) -> datetime | None:
        """The end of the route's quiet hours, None where it may speak."""
        configured = self.notify.by_name.get(route)
        quiet = configured.quiet_hours if configured is not None else None
        if quiet is None or incident.drill or incident.priority in quiet.excepted:
            return None
        return quiet.hours.until(now)

    def _full_until(
        self, conn: sa.Connection, name: str, incident: Incident, now: datetime
    ) -> datetime | None:
        """When the notifier may send again, None where it may now."""
        limit = self._limit(name)
        if limit is None or incident.drill or incident.priority in limit.excepted:
            return None
        sent = outbox.sent_since(conn, name, now - timedelta(seconds=limit.per))
        free = free_at(sent, now, limit.most, limit.per)
        return free if free > now else None

    def _limit(self, name: str) -> Limit | None:
        if name in self.notify.limits:
            return self.notify.limits[name]
        notifier = self.notifiers.get(name)
        return None if notifier is None or notifier.last_resort else self.notify.default_limit

    def _together(self, name: str, due: Sequence[Waiting], now: datetime) -> list[_Ready | None]:
        """One message for all that the limit of a notifier held back, where it may speak again."""
        with self.database.write() as conn:
            rows = [*due, *outbox.claim_held(conn, name, now)]
            about = {row.id: incidents.get(conn, str(row.incident_id)) for row in rows}
            burning = [row for row in rows if about[row.id].status is IncidentStatus.OPEN]
            numbers = {about[row.id].stored_id for row in burning}
            urgent = [row for row in rows if self._full_until(conn, name, about[row.id], now) is None]
            if len(numbers) > 1 and len(urgent) == len(rows) and name in self.notifiers:
                return [self._digest(conn, name, rows, about, now)]
            for row in rows:
                if row not in urgent:
                    until = self._full_until(conn, name, about[row.id], now) or now
                    outbox.wait(conn, row, until, held_by=name)
        return [self._prepare(row, now) for row in urgent]

    def _digest(
        self,
        conn: sa.Connection,
        name: str,
        rows: Sequence[Waiting],
        about: Mapping[int, Incident],
        now: datetime,
    ) -> _Ready | None:
        worth = [row for row in rows if still_worth(row.reason, about[row.id], Told())]
        over = [row for row in rows if about[row.id].status is IncidentStatus.RESOLVED]
        for row in rows:
            if row not in worth and row not in over:
                outbox.close(conn, row.id, "cancelled", now, "it was no longer worth saying")
        saying = [row for row in worth if row not in over]
        found = {about[row.id].stored_id: about[row.id] for row in (*saying, *over)}
        ordered = sorted(found.values(), key=_urgency)
        for row in saying:
            outbox.under_way(conn, row.id, about[row.id].fault, about[row.id].priority)
        lead = next(row for row in saying if about[row.id].stored_id == ordered[0].stored_id)
        since = min(about[row.id].opened_at for row in (*saying, *over))
        place = lead.notifiers.index(name)
        rest = [row for row in saying if row is not lead]
        notification = self.wording.together(lead, ordered, since)
        return _Ready([lead, *rest], place, self.notifiers[name], notification, over=over)

    def _record(self, ready: _Ready, outcome: Outcome, now: datetime) -> None:
        error = self.wording.mask.text(outcome.error) if outcome.error is not None else None
        with self.database.write() as conn:
            outbox.log(conn, _log_line(ready, outcome, error, now))
            for row in ready.rows:
                if error is None:
                    self._sent(conn, ready, row, now)
                else:
                    self._failed(conn, ready, row, outcome, error, now)
            for row in ready.over:
                outbox.close(conn, row.id, "cancelled", now, "it was over before it was said")
                if error is None:
                    self._note(
                        conn, row, now, f"told by {ready.notifier.name} that it was, and is over", _MANY
                    )
            incident = incidents.get(conn, str(ready.rows[0].incident_id))
            self._end_drill(conn, incident, now)

    def _sent(self, conn: sa.Connection, ready: _Ready, row: Waiting, now: datetime) -> None:
        outbox.close(conn, row.id, "sent", now)
        what = f"{_MESSAGES[row.reason]} sent by {ready.notifier.name}"
        if ready.notification.reason is NotifyReason.DIGEST:
            what += f", in one message with {len(ready.notification.incidents) - 1} others"
        incidents.note(conn, row.incident_id, now, what, reason=f"route {row.route}")
        log.info("incident %s: %s", row.incident_id, what)

    def _failed(
        self, conn: sa.Connection, ready: _Ready, row: Waiting, outcome: Outcome, error: str, now: datetime
    ) -> None:
        name = ready.notifier.name
        attempts = row.attempts if ready.place == row.position else 0
        again = after_failure(
            outcome,
            position=ready.place,
            attempts=attempts,
            notifiers=len(row.notifiers),
            tries=self.notify.retry_attempts,
        )
        if again is None:
            outbox.close(conn, row.id, "given up", now, error)
            self._note(conn, row, now, f"{name} failed, and nobody could be told", error)
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
            held_by=row.held_by if again.position == ready.place else None,
        )
        then = (
            f"again in {again.wait:g} s"
            if again.position == ready.place
            else f"{row.notifiers[again.position]} takes over"
        )
        self._note(conn, row, now, f"{name} failed; {then}", error)
        log.warning("incident %s: notifier %s failed: %s; %s", row.incident_id, name, error, then)

    def _end_drill(self, conn: sa.Connection, incident: Incident, now: datetime) -> None:
        """A drill is over when all of its messages have come or failed."""
        number = incident.row_id
        if incident.drill and incident.status is IncidentStatus.OPEN and not outbox.waits_for(conn, number):
            ours, reason = incidents.OURSELVES, "the drill is over"
            close_incident(conn, incident, now, self.announcer, actor=ours, reason=reason)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _urgency(incident: Incident) -> tuple[bool, int, int]:
    open_ = incident.status is IncidentStatus.OPEN
    return not open_, -incident.priority.rank, incident.row_id


def _broken(incident: Incident, members: Sequence[Alert]) -> frozenset[str]:
    """The components that the incident is about; none once it is over, or where nothing happened."""
    if incident.status is not IncidentStatus.OPEN or incident.drill:
        return frozenset()
    return frozenset(alert.component for alert in members if alert.component is not None and alert.active)


def _log_line(ready: _Ready, outcome: Outcome, error: str | None, now: datetime) -> dict[str, Any]:
    said, row = ready.notification, ready.rows[0]
    return {
        "incident_id": row.incident_id,
        "outbox_id": row.id,
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
