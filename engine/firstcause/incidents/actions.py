"""What people do about incidents: acknowledge them, silence them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.model import IncidentStatus, Role
from firstcause.core.notify.silences import Silence, parse_matcher, reject_catch_all
from firstcause.core.text.timestamps import format_time
from firstcause.errors import IntakeError
from firstcause.inference.patterns import matches_fully
from firstcause.store import alerts, audit, cause_overrides, incidents, silences
from firstcause.store.cause_overrides import CauseOverride

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.model import Alert, Incident
    from firstcause.core.privacy.masking import Mask
    from firstcause.store.database import Database


@dataclass(frozen=True)
class IncidentActions:
    """Acts for a person. Nothing here evaluates rules; the next evaluation sees the action."""

    database: Database
    mask: Mask

    def acknowledge(self, incident_id: str, now: datetime, actor: str, comment: str | None) -> None:
        """Say that somebody is at it. A second time changes nothing. IntakeError where it is over."""
        with self.database.write() as conn:
            incident = _get_open_incident(conn, incident_id, "acknowledged")
            if incident.acknowledged_at is None:
                acknowledged = incident.model_copy(update={"acknowledged_at": now, "acknowledged_by": actor})
                incidents.save(conn, acknowledged)
                incidents.add_timeline_entry(
                    conn,
                    incident.row_id,
                    now,
                    "acknowledged",
                    reason=self._mask_comment(comment),
                    actor=actor,
                )

    def unacknowledge(self, incident_id: str, now: datetime, actor: str, comment: str | None) -> None:
        """Take an acknowledgement back."""
        with self.database.write() as conn:
            incident = _get_open_incident(conn, incident_id, "given back")
            if incident.acknowledged_at is not None:
                unacknowledged = incident.model_copy(
                    update={"acknowledged_at": None, "acknowledged_by": None}
                )
                incidents.save(conn, unacknowledged)
                incidents.add_timeline_entry(
                    conn,
                    incident.row_id,
                    now,
                    "no longer acknowledged",
                    reason=self._mask_comment(comment),
                    actor=actor,
                )

    def merge(self, incident_id: str, target_id: str, now: datetime, actor: str, reason: str | None) -> None:
        """Say that the roots of one open incident are caused by another's, against every rule."""
        with self.database.write() as conn:
            merged, target = (
                _get_open_incident(conn, incident_id, "merged"),
                _get_open_incident(conn, target_id, "merged into"),
            )
            if merged.stored_id == target.stored_id:
                msg = f"incident {incident_id} is incident {target_id} already; name another"
                raise IntakeError(msg)
            cause = _find_active_roots(conn, target)[0]
            for root in _find_active_roots(conn, merged):
                cause_overrides.add(
                    conn,
                    CauseOverride(
                        _get_row_id(root), _get_row_id(cause), now, actor, self._mask_comment(reason)
                    ),
                )
            for incident, what in (
                (merged, f"to be taken in by incident {target.stored_id}"),
                (target, f"to take in incident {merged.stored_id}"),
            ):
                incidents.add_timeline_entry(
                    conn, incident.row_id, now, what, reason=self._mask_comment(reason), actor=actor
                )

    def split(
        self, incident_id: str, alert_ids: Sequence[str], now: datetime, actor: str, reason: str | None
    ) -> None:
        """Say that alerts of an open incident have a cause of their own, against every rule."""
        with self.database.write() as conn:
            incident = _get_open_incident(conn, incident_id, "split")
            members = alerts.load_by_incident(conn, [incident.row_id])[incident.row_id]
            active = {str(member.stored_id): member for member in members if member.active}
            for alert_id in alert_ids:
                alert = active.get(alert_id)
                if alert is None:
                    msg = (
                        f"incident {incident_id} has no active alert {alert_id!r}; it has {', '.join(active)}"
                    )
                    raise IntakeError(msg)
                if alert.fault == incident.fault:
                    msg = (
                        f"alert {alert_id} is the root fault of incident {incident_id} itself; "
                        "split off the others"
                    )
                    raise IntakeError(msg)
                cause_overrides.add(
                    conn, CauseOverride(_get_row_id(alert), None, now, actor, self._mask_comment(reason))
                )
                what = f"{alert.code} (alert {alert_id}) split off"
                incidents.add_timeline_entry(
                    conn, incident.row_id, now, what, reason=self._mask_comment(reason), actor=actor
                )

    def silence(
        self,
        matchers: Sequence[str],
        now: datetime,
        *,
        duration_s: float,
        actor: str,
        comment: str | None,
        starts_at: datetime | None = None,
    ) -> Silence:
        """length: seconds. IntakeError where a matcher is none, or all of them fit nearly everything."""
        begin = starts_at or now
        try:
            parsed = tuple(parse_matcher(text, matches_fully) for text in matchers)
            reject_catch_all(parsed, matches_fully)
        except ValueError as error:
            raise IntakeError(str(error)) from None
        if duration_s <= 0 or begin + timedelta(seconds=duration_s) <= now:
            msg = "a silence that is over already; give it a length, such as 2h"
            raise IntakeError(msg)
        silence = Silence(
            matchers=parsed,
            starts_at=begin,
            ends_at=begin + timedelta(seconds=duration_s),
            created_at=now,
            created_by=actor,
            comment=self._mask_comment(comment),
        )
        with self.database.write() as conn:
            silence_id = silences.add(conn, silence)
            description = ", ".join(map(str, parsed))
            audit.add(
                conn,
                now,
                actor,
                f"silenced {description}",
                about=f"silence {silence_id}",
                reason=silence.comment,
            )
            return silence.model_copy(update={"silence_id": silence_id})

    def build_incident_matchers(self, incident_id: str) -> list[str]:
        """Matchers that fit the roots of an incident."""
        with self.database.read() as conn:
            incident = _get_open_incident(conn, incident_id, "silenced")
            root_fields = {
                "code": incident.root.code,
                "service": incident.root.service,
                "tenant": incident.root.tenant,
            }
            return [f'{field}="{value}"' for field, value in root_fields.items() if value is not None]

    def end_silence(self, silence_id: str, now: datetime, actor: str) -> Silence:
        with self.database.write() as conn:
            silence = silences.get(conn, silence_id)
            if silence.state(now) != "expired":
                audit.add(conn, now, actor, "ended", about=f"silence {silence_id}")
            return silences.expire(conn, silence_id, now)

    def record_audit(self, now: datetime, actor: str, action: str, about: str | None = None) -> None:
        """Take down in the audit log what a person did that leaves no other trace in the store."""
        with self.database.write(exclusive=False) as conn:
            audit.add(conn, now, actor, action, about=about)

    def list_silences(self, now: datetime, *, include_ended: bool) -> list[dict[str, Any]]:
        """As `silence list --json` shows them; ended: those that are over as well."""
        with self.database.read() as conn:
            selected = silences.list_silences(conn, None if include_ended else now)
            active = alerts.load_active(conn)
            return [
                serialize_silence(silence, now, _list_silenced_incidents(silence, now, active))
                for silence in selected
            ]

    def _mask_comment(self, comment: str | None) -> str | None:
        return self.mask.mask_text(comment) if comment else None


def _find_active_roots(conn: sa.Connection, incident: Incident) -> list[Alert]:
    incident_id = incident.row_id
    members = alerts.load_by_incident(conn, [incident_id])[incident_id]
    return [alert for alert in members if alert.active and alert.role is Role.ROOT]


def _get_row_id(alert: Alert) -> int:
    return alert.row_id


def _get_open_incident(conn: sa.Connection, incident_id: str, action: str) -> Incident:
    incident = incidents.get(conn, incident_id)
    if incident.status is not IncidentStatus.OPEN:
        msg = (
            f"incident {incident_id} is over, so it cannot be {action}; "
            "`firstcause incidents` has the open ones"
        )
        raise IntakeError(msg)
    return incident


def _list_silenced_incidents(silence: Silence, now: datetime, active: Sequence[Any]) -> list[str]:
    if silence.state(now) != "active":
        return []
    incident_ids = {alert.incident_id for alert in active if silence.matches(alert, matches_fully)} - {None}
    return [str(incident_id) for incident_id in sorted(incident_ids)]


def serialize_silence(silence: Silence, now: datetime, incident_ids: Sequence[str] = ()) -> dict[str, Any]:
    """hit: ids of the incidents that it concerns now."""
    return {
        "id": str(silence.silence_id),
        "matchers": [str(matcher) for matcher in silence.matchers],
        "state": silence.state(now),
        "starts_at": format_time(silence.starts_at),
        "ends_at": format_time(silence.ends_at),
        "created_at": format_time(silence.created_at),
        "created_by": silence.created_by,
        "comment": silence.comment,
        "incidents": list(incident_ids),
    }
