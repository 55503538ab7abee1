"""What people do about incidents: acknowledge them, silence them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import IncidentStatus, Role
from firstcause.core.notify.silences import Silence, parse, refuse_all
from firstcause.core.text.timestamps import format_time
from firstcause.errors import IntakeError
from firstcause.inference.patterns import fits_whole
from firstcause.store import alerts, audit, cause_overrides, incidents, silences
from firstcause.store.cause_overrides import Ruling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Incident
    from firstcause.core.privacy.masking import Mask
    from firstcause.store.database import Database


@dataclass(frozen=True)
class Acting:
    """Acts for a person. Nothing here evaluates rules: whoever runs them sees what was done."""

    database: Database
    mask: Mask

    def acknowledge(self, number: str, now: datetime, by: str, comment: str | None) -> None:
        """Say that somebody is at it. A second time changes nothing. IntakeError where it is over."""
        with self.database.write() as conn:
            found = _open(conn, number, "acknowledged")
            if found.acknowledged_at is None:
                taken = found.model_copy(update={"acknowledged_at": now, "acknowledged_by": by})
                incidents.save(conn, taken)
                incidents.note(conn, found.row_id, now, "acknowledged", reason=self._clean(comment), actor=by)

    def give_back(self, number: str, now: datetime, by: str, comment: str | None) -> None:
        """Take an acknowledgement back."""
        with self.database.write() as conn:
            found = _open(conn, number, "given back")
            if found.acknowledged_at is not None:
                free = found.model_copy(update={"acknowledged_at": None, "acknowledged_by": None})
                incidents.save(conn, free)
                incidents.note(
                    conn,
                    found.row_id,
                    now,
                    "no longer acknowledged",
                    reason=self._clean(comment),
                    actor=by,
                )

    def merge(self, number: str, into: str, now: datetime, by: str, reason: str | None) -> None:
        """Say that the roots of one open incident are caused by another's, against every rule."""
        with self.database.write() as conn:
            gone, kept = _open(conn, number, "merged"), _open(conn, into, "merged into")
            if gone.stored_id == kept.stored_id:
                msg = f"incident {number} is incident {into} already; name another"
                raise IntakeError(msg)
            cause = _roots(conn, kept)[0]
            for root in _roots(conn, gone):
                cause_overrides.add(conn, Ruling(_row(root), _row(cause), now, by, self._clean(reason)))
            for one, what in (
                (gone, f"to be taken in by incident {kept.stored_id}"),
                (kept, f"to take in incident {gone.stored_id}"),
            ):
                incidents.note(conn, one.row_id, now, what, reason=self._clean(reason), actor=by)

    def split(self, number: str, ids: Sequence[str], now: datetime, by: str, reason: str | None) -> None:
        """Say that alerts of an open incident have a cause of their own, against every rule."""
        with self.database.write() as conn:
            found = _open(conn, number, "split")
            members = alerts.of_incidents(conn, [found.row_id])[found.row_id]
            active = {str(each.stored_id): each for each in members if each.active}
            for one in ids:
                alert = active.get(one)
                if alert is None:
                    msg = f"incident {number} has no active alert {one!r}; it has {', '.join(active)}"
                    raise IntakeError(msg)
                if alert.fault == found.fault:
                    msg = f"alert {one} is the root fault of incident {number} itself; split off the others"
                    raise IntakeError(msg)
                cause_overrides.add(conn, Ruling(_row(alert), None, now, by, self._clean(reason)))
                what = f"{alert.code} (alert {one}) split off"
                incidents.note(conn, found.row_id, now, what, reason=self._clean(reason), actor=by)

    def silence(
        self,
        matchers: Sequence[str],
        now: datetime,
        *,
        length: float,
        by: str,
        comment: str | None,
        starts_at: datetime | None = None,
    ) -> Silence:
        """length: seconds. IntakeError where a matcher is none, or all of them fit nearly everything."""
        begin = starts_at or now
        try:
            read = tuple(parse(text, fits_whole) for text in matchers)
            refuse_all(read, fits_whole)
        except ValueError as error:
            raise IntakeError(str(error)) from None
        if length <= 0 or begin + timedelta(seconds=length) <= now:
            msg = "a silence that is over already; give it a length, such as 2h"
            raise IntakeError(msg)
        new = Silence(
            matchers=read,
            starts_at=begin,
            ends_at=begin + timedelta(seconds=length),
            created_at=now,
            created_by=by,
            comment=self._clean(comment),
        )
        with self.database.write() as conn:
            number = silences.add(conn, new)
            words = ", ".join(map(str, read))
            audit.add(conn, now, by, f"silenced {words}", about=f"silence {number}", reason=new.comment)
            return new.model_copy(update={"number": number})

    def silence_incident(self, number: str) -> list[str]:
        """Matchers that fit the roots of an incident."""
        with self.database.read() as conn:
            found = _open(conn, number, "silenced")
            named = {"code": found.root.code, "service": found.root.service, "tenant": found.root.tenant}
            return [f'{field}="{value}"' for field, value in named.items() if value is not None]

    def end_silence(self, number: str, now: datetime, by: str) -> Silence:
        with self.database.write() as conn:
            before = silences.get(conn, number)
            if before.state(now) != "expired":
                audit.add(conn, now, by, "ended", about=f"silence {number}")
            return silences.end(conn, number, now)

    def note(self, now: datetime, by: str, what: str, about: str | None = None) -> None:
        """Take down in the audit log what a person did that leaves no other trace in the store."""
        with self.database.write(exclusive=False) as conn:
            audit.add(conn, now, by, what, about=about)

    def silences(self, now: datetime, *, ended: bool) -> list[dict[str, Any]]:
        """As `silence list --json` shows them; ended: those that are over as well."""
        with self.database.read() as conn:
            listed = silences.listed(conn, None if ended else now)
            active = alerts.active(conn)
            return [silence_answer(each, now, _hit(each, now, active)) for each in listed]

    def _clean(self, comment: str | None) -> str | None:
        return self.mask.text(comment) if comment else None


def _roots(conn: sa.Connection, incident: Incident) -> list[Alert]:
    number = incident.row_id
    members = alerts.of_incidents(conn, [number])[number]
    return [each for each in members if each.active and each.role is Role.ROOT]


def _row(alert: Alert) -> int:
    return alert.row_id


def _open(conn: sa.Connection, number: str, done: str) -> Incident:
    found = incidents.get(conn, number)
    if found.status is not IncidentStatus.OPEN:
        msg = f"incident {number} is over, so it cannot be {done}; `firstcause incidents` has the open ones"
        raise IntakeError(msg)
    return found


def _hit(silence: Silence, now: datetime, active: Sequence[Any]) -> list[str]:
    if silence.state(now) != "active":
        return []
    hit = {alert.incident_id for alert in active if silence.fits(alert, fits_whole)} - {None}
    return [str(number) for number in sorted(hit)]


def silence_answer(silence: Silence, now: datetime, hit: Sequence[str] = ()) -> dict[str, Any]:
    """hit: ids of the incidents that it concerns now."""
    return {
        "id": str(silence.number),
        "matchers": [str(matcher) for matcher in silence.matchers],
        "state": silence.state(now),
        "starts_at": format_time(silence.starts_at),
        "ends_at": format_time(silence.ends_at),
        "created_at": format_time(silence.created_at),
        "created_by": silence.created_by,
        "comment": silence.comment,
        "incidents": list(hit),
    }
