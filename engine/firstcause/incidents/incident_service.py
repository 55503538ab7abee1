"""Incidents: what people ask about them, and what people do about them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.core.incidents.debug_report import as_markdown, as_text, build_debug_report
from firstcause.core.incidents.incident_filter import count_by_priority, sort_for_list
from firstcause.core.incidents.suggestions import FixWeights
from firstcause.core.model import IncidentStatus
from firstcause.core.root_cause.suspects import rank_suspects
from firstcause.errors import FirstcauseError
from firstcause.health.change_finder import ChangeFinder
from firstcause.incidents import actions
from firstcause.incidents.explain import Explainer
from firstcause.incidents.lifecycle import accept_regression, close_incident
from firstcause.incidents.serializers import serialize_incident
from firstcause.incidents.suggestions import FIX_PREFIX, FixSuggestions
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.catalog import Entry
    from firstcause.core.incidents.debug_report import DebugReport
    from firstcause.core.incidents.incident_filter import IncidentFilter
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.model import Alert, Incident
    from firstcause.core.privacy.masking import Mask
    from firstcause.core.root_cause.ranking import Suspect
    from firstcause.health.system_state import SystemState
    from firstcause.incidents.lifecycle import NotificationSink
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.store.database import Database


MAX_ENDED = 10_000
"""Incidents that are over and listed at most, unless some are searched for."""


@dataclass(frozen=True)
class IncidentRecord:
    """One incident with what the store holds of it, read in one transaction."""

    incident: Incident
    members: Sequence[Alert]
    timeline: Sequence[Mapping[str, Any]]
    suggestions: Sequence[Suggestion]


@dataclass(frozen=True)
class IncidentDetails:
    """All answers about one incident: as JSON, its debug report, and why it is what it is."""

    record: IncidentRecord
    incident: dict[str, Any]
    report: DebugReport
    explanation: dict[str, Any]


@dataclass(frozen=True)
class IncidentService:
    """Answers questions about incidents and acts on them.

    learned_ttl_s: how long a dependency counts that was learned from errors, in seconds.
    get_mask: returns the current mask of secrets.
    get_notification_queue: returns what takes the message that an incident is resolved.
    apply_override: evaluates the rules again before it returns.
    apply_override_soon: has the rules evaluated again.
    """

    database: Database
    rules: LiveRules
    system_state: SystemState
    learned_ttl_s: float
    get_mask: Callable[[], Mask]
    get_notification_queue: Callable[[], NotificationSink]
    apply_override: Callable[[datetime], None]
    apply_override_soon: Callable[[datetime], None]

    # Questions

    def list_incidents(self, status: str | None = None, limit: int | None = 50) -> list[dict[str, Any]]:
        """The newest incidents, without their timelines. status, limit: None for all."""
        with self.database.read() as conn:
            return self._serialize_list(conn, incidents.list_incidents(conn, status, limit))

    def search_incidents(self, chosen: IncidentFilter, status: str | None, limit: int) -> dict[str, Any]:
        """{incidents, total, by_priority}: open ones first, by urgency, then the newest of the others.

        incidents: at most `limit` of the `total` that match. status: None for all.
        """
        with self.database.read() as conn:
            listed = incidents.load_open(conn) if status in {None, "open"} else []
            if status != "open":
                others = incidents.list_incidents(conn, status, None if not chosen.is_empty else MAX_ENDED)
                listed += [incident for incident in others if incident.status is not IncidentStatus.OPEN]
                listed += incidents.load_open(conn, drill=True) if status is None else []
            matched = [incident for incident in sort_for_list(listed) if chosen.matches(incident)]
            return {
                "incidents": self._serialize_list(conn, matched[:limit]),
                "total": len(matched),
                "by_priority": count_by_priority(
                    incident for incident in matched if incident.status is IncidentStatus.OPEN
                ),
            }

    def _serialize_list(self, conn: sa.Connection, selected: Sequence[Incident]) -> list[dict[str, Any]]:
        members = alerts.load_by_incident(conn, [incident.row_id for incident in selected])
        all_suggestions = self.fix_suggestions.suggest_all(conn, selected)
        return [
            serialize_incident(
                incident,
                members[incident.row_id],
                incidents.load_notifications(conn, incident.row_id),
                (),
                suggestions=suggestions,
            )
            for incident, suggestions in zip(selected, all_suggestions, strict=True)
        ]

    def get_incident(self, incident_id: str) -> dict[str, Any]:
        """One incident as `incident ID --json` shows it. NotFoundError where there is none with that id."""
        with self.database.read() as conn:
            return self._serialize(conn, self._load_record(conn, incident_id))

    def find_by_event(self, event_id: str) -> dict[str, Any] | None:
        """The incident that an accepted event belongs to; None where the event belongs to none."""
        with self.database.read() as conn:
            incident_id = incidents.find_by_event(conn, event_id)
            if incident_id is None:
                return None
            return self._serialize(conn, self._load_record(conn, str(incident_id)))

    def list_active_fingerprints(self, incident_id: str) -> list[str]:
        """The fingerprints of an incident's active alerts."""
        with self.database.read() as conn:
            row_id = incidents.get(conn, incident_id).row_id
            members = alerts.load_by_incident(conn, [row_id])[row_id]
        return [alert.fingerprint for alert in members if alert.active]

    def rank_suspects(self, now: datetime) -> list[Suspect]:
        """All components that may be the root of what is active, the likeliest first."""
        with self.database.read() as conn:
            active = alerts.load_active(conn)
        facts = self.system_state.build_facts(now)
        return rank_suspects(active, self.rules.current.diagnosis_inputs(facts), facts)

    def build_debug_report(self, incident_id: str, now: datetime) -> DebugReport:
        """The whole report: cause, fix, impact, dependencies, source."""
        with self.database.read() as conn:
            return self._build_debug_report(conn, self._load_record(conn, incident_id), now)

    def render_debug_report(self, incident_id: str, output_format: str, now: datetime) -> str:
        """The debug report. output_format: text, markdown or json."""
        report = self.build_debug_report(incident_id, now)
        if output_format == "json":
            return report.model_dump_json(indent=2)
        return as_markdown(report) if output_format == "markdown" else as_text(report)

    def explain(self, incident_id: str, now: datetime) -> dict[str, Any]:
        """Why an incident is what it is: its verdicts, suspects, and the rules that nearly fired."""
        with self.database.read() as conn:
            record = self._load_record(conn, incident_id)
            return self._explain(conn, record, now)

    def explain_rule(self, name: str, now: datetime) -> dict[str, Any]:
        """Whether a rule fires on what is open, and else what is nearest to it. NotFoundError."""
        with self._create_query_explainer(now) as explainer:
            return explainer.explain_rule(name)

    def simulate_fix(self, code: str, now: datetime) -> dict[str, Any]:
        """Which open alerts would resolve if the errors with this code were fixed. NotFoundError."""
        with self._create_query_explainer(now) as explainer:
            return explainer.simulate_fix(code)

    def describe(self, conn: sa.Connection, incident_id: str, now: datetime) -> IncidentDetails:
        """All answers about one incident, out of one transaction."""
        record = self._load_record(conn, incident_id)
        return IncidentDetails(
            record,
            self._serialize(conn, record),
            self._build_debug_report(conn, record, now),
            self._explain(conn, record, now),
        )

    # Actions

    def acknowledge(self, incident_id: str, now: datetime, actor: str, comment: str | None) -> dict[str, Any]:
        """Note who works on an open incident, so that reminders stop. Returns the incident."""
        with self.database.write() as conn:
            actions.acknowledge(conn, incident_id, now, actor, self._mask_text(comment))
        return self.get_incident(incident_id)

    def unacknowledge(
        self, incident_id: str, now: datetime, actor: str, comment: str | None
    ) -> dict[str, Any]:
        """Take an acknowledgement back. Returns the incident."""
        with self.database.write() as conn:
            actions.unacknowledge(conn, incident_id, now, actor, self._mask_text(comment))
        return self.get_incident(incident_id)

    def merge(
        self, incident_id: str, target_id: str, now: datetime, actor: str, reason: str | None
    ) -> dict[str, Any]:
        """Merge an open incident into another. Returns the other incident."""
        with self.database.write() as conn:
            actions.merge(conn, incident_id, target_id, now, actor, self._mask_text(reason))
        self.apply_override(now)
        return self.get_incident(target_id)

    def split(
        self, incident_id: str, alert_ids: Sequence[str], now: datetime, actor: str, reason: str | None
    ) -> dict[str, Any]:
        """Split alerts off an open incident. Returns the incident."""
        with self.database.write() as conn:
            actions.split(conn, incident_id, alert_ids, now, actor, self._mask_text(reason))
        self.apply_override(now)
        return self.get_incident(incident_id)

    def resolve(self, incident_id: str, now: datetime, *, fix: str | None, actor: str) -> dict[str, Any]:
        """Resolve an incident by hand. A second call changes nothing. Returns the incident.

        fix: what fixed it, None where nobody says.
        """
        with self.database.write() as conn:
            incident = incidents.get(conn, incident_id)
            is_open = incident.status is IncidentStatus.OPEN
            if is_open:
                masked_fix = self._mask_text(fix)
                ending = incident.model_copy(update={"fix": masked_fix})
                reason = masked_fix or "a person resolved it"
                accept_regression(conn, incident, actor)
                close_incident(conn, ending, now, self.get_notification_queue(), actor=actor, reason=reason)
        if is_open:
            self.apply_override_soon(now)
        return self.get_incident(incident_id)

    # Parts of answers

    @property
    def fix_suggestions(self) -> FixSuggestions:
        """What fixed similar incidents; with default weights where the rule files cannot be loaded."""
        with suppress(FirstcauseError):
            return FixSuggestions(self.rules.current.book.from_thresholds(FixWeights, FIX_PREFIX))
        return FixSuggestions(FixWeights())

    @property
    def change_finder(self) -> ChangeFinder:
        """Finds the changes that may have led to an incident."""
        return ChangeFinder(self.rules.current, self.learned_ttl_s)

    def _load_record(self, conn: sa.Connection, incident_id: str) -> IncidentRecord:
        incident = incidents.get(conn, incident_id)
        return IncidentRecord(
            incident,
            alerts.load_by_incident(conn, [incident.row_id])[incident.row_id],
            incidents.load_timeline(conn, incident.row_id),
            self.fix_suggestions.suggest(conn, incident),
        )

    def _serialize(self, conn: sa.Connection, record: IncidentRecord) -> dict[str, Any]:
        return serialize_incident(
            record.incident,
            record.members,
            incidents.load_notifications(conn, record.incident.row_id),
            record.timeline,
            self._get_entry(record.incident.root.code),
            record.suggestions,
        )

    def _build_debug_report(self, conn: sa.Connection, record: IncidentRecord, now: datetime) -> DebugReport:
        return build_debug_report(
            record.incident,
            record.members,
            self.rules.catalog,
            now,
            timeline=record.timeline,
            changes=self.change_finder.find_changes_before(conn, record.incident),
            suggestions=record.suggestions,
        )

    def _explain(self, conn: sa.Connection, record: IncidentRecord, now: datetime) -> dict[str, Any]:
        with self.rules.use() as rulebase:
            return Explainer(conn, rulebase, now).explain_incident(record.incident, record.members)

    @contextmanager
    def _create_query_explainer(self, now: datetime) -> Iterator[Explainer]:
        with self.rules.use_for_query() as rulebase, self.database.read() as conn:
            yield Explainer(conn, rulebase, now)

    def _get_entry(self, code: str) -> Entry | None:
        """The catalog entry; None also where the rule files cannot be loaded, as the store can be shown."""
        with suppress(FirstcauseError):
            return self.rules.catalog.get(code)
        return None

    def _mask_text(self, text: str | None) -> str | None:
        return self.get_mask().mask_text(text) if text else None
