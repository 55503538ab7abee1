"""Silences: people choose which errors notify nobody for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause.core.notify.silences import Silence, parse_matcher, reject_catch_all
from firstcause.core.text.timestamps import format_time
from firstcause.errors import IntakeError
from firstcause.incidents.actions import get_open_incident
from firstcause.inference.patterns import matches_fully
from firstcause.store import alerts, audit, silences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from firstcause.core.model import Alert
    from firstcause.core.privacy.masking import Mask
    from firstcause.store.database import Database


@dataclass(frozen=True)
class SilenceService:
    """Creates, ends and lists silences.

    apply_override: has the rules evaluated again after a change.
    """

    database: Database
    get_mask: Callable[[], Mask]
    apply_override: Callable[[datetime], None]

    def create(
        self,
        matchers: Sequence[str],
        now: datetime,
        *,
        duration_s: float,
        actor: str,
        comment: str | None,
        starts_at: datetime | None = None,
    ) -> Silence:
        """Create a silence of errors that all matchers match.

        starts_at: None for now. IntakeError where a matcher is malformed, where the matchers match nearly
        everything, or where the silence is over already.
        """
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
            comment=self.get_mask().mask_text(comment) if comment else None,
        )
        action = f"silenced {', '.join(map(str, parsed))}"
        with self.database.write() as conn:
            silence_id = silences.add(conn, silence)
            audit.add(conn, now, actor, action, about=f"silence {silence_id}", reason=silence.comment)
        self.apply_override(now)
        return silence.model_copy(update={"silence_id": silence_id})

    def build_incident_matchers(self, incident_id: str) -> list[str]:
        """Matchers for the root of an open incident."""
        with self.database.read() as conn:
            root = get_open_incident(conn, incident_id, "silenced").root
        fields = {"code": root.code, "service": root.service, "tenant": root.tenant}
        return [f'{field}="{value}"' for field, value in fields.items() if value is not None]

    def end(self, silence_id: str, now: datetime, actor: str) -> Silence:
        """End a silence now. NotFoundError where there is none with that id."""
        with self.database.write() as conn:
            silence = silences.get(conn, silence_id)
            if silence.state(now) != "expired":
                audit.add(conn, now, actor, "ended", about=f"silence {silence_id}")
            ended = silences.expire(conn, silence_id, now)
        self.apply_override(now)
        return ended

    def list_silences(self, now: datetime, *, include_ended: bool) -> list[dict[str, Any]]:
        """The silences as `silence list --json` shows them, the newest first."""
        with self.database.read() as conn:
            selected = silences.list_silences(conn, None if include_ended else now)
            active = alerts.load_active(conn)
        return [
            serialize_silence(silence, now, _list_silenced_incidents(silence, now, active))
            for silence in selected
        ]


def _list_silenced_incidents(silence: Silence, now: datetime, active: Sequence[Alert]) -> list[str]:
    if silence.state(now) != "active":
        return []
    incident_ids = {
        alert.incident_id
        for alert in active
        if alert.incident_id is not None and silence.matches(alert, matches_fully)
    }
    return [str(incident_id) for incident_id in sorted(incident_ids)]


def serialize_silence(silence: Silence, now: datetime, incident_ids: Sequence[str] = ()) -> dict[str, Any]:
    """A silence as JSON. incident_ids: the incidents that it silences now."""
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
