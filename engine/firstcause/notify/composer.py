"""Composes messages about incidents from the store and the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.core.incidents.debug_report import as_text, build_debug_report, find_root_verdict
from firstcause.core.incidents.flapping import describe_flapping
from firstcause.core.model import IncidentStatus, Role
from firstcause.core.notification import Notification, NotifyReason
from firstcause.core.notify.message import (
    DigestItem,
    MessageContext,
    format_body,
    format_digest_body,
    format_digest_text,
    format_digest_title,
    format_text,
)
from firstcause.core.notify.message_facts import (
    describe_place,
    find_raw_line,
    is_said,
    list_hit_services,
)
from firstcause.core.notify.receiver import find_repeated_attempts
from firstcause.incidents.serializers import serialize_incident
from firstcause.store import alerts, incidents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from firstcause.core.catalog import Catalog
    from firstcause.core.incidents.debug_report import DebugReport
    from firstcause.core.incidents.suggestions import Suggestion
    from firstcause.core.model import Alert, Incident, Root
    from firstcause.core.notify.receiver import Attempt, ReceiverState
    from firstcause.core.privacy.masking import Mask
    from firstcause.health.change_finder import ChangeFinder
    from firstcause.incidents.suggestions import FixSuggestions
    from firstcause.store.outbox import PendingMessage

_OWNER_TAGS = ("owner", "team")
"""Tags that name who is responsible, the first that is set; enrichment adds them."""


@dataclass(frozen=True)
class MessageComposer:
    """Composes messages. link: base URL of the page, None for messages without links."""

    catalog: Catalog
    change_finder: ChangeFinder
    fix_suggestions: FixSuggestions
    mask: Mask
    link: str | None = None

    def compose(
        self,
        conn: sa.Connection,
        row: PendingMessage,
        incident: Incident,
        now: datetime,
        *,
        receiver: ReceiverState,
        more_urgent: bool,
    ) -> tuple[Notification, DebugReport]:
        """Compose a message about one incident.

        receiver: what the people who are to get it know.
        more_urgent: whether the priority is higher than in the messages that the route sent before.
        """
        repeated = find_repeated_attempts(receiver, row.id, row.reason)
        members = alerts.load_by_incident(conn, [row.incident_id])[row.incident_id]
        timeline = incidents.load_timeline(conn, row.incident_id)
        changes = self.change_finder.find_changes_before(conn, incident)
        suggestions = self.fix_suggestions.suggest(conn, incident)
        report = build_debug_report(
            incident, members, self.catalog, now, timeline=timeline, changes=changes, suggestions=suggestions
        )
        context = self._build_context(
            row, incident, members, suggestions, now, more_urgent=more_urgent, maybe_repeat=bool(repeated)
        )
        merged = tuple(str(merged_id) for merged_id in incidents.load_merged_ids(conn, row.incident_id))
        context = context.model_copy(update={"merged": merged})
        notification = Notification(
            id=_build_message_id(row, incident),
            incident_id=str(row.incident_id),
            reason=row.reason,
            priority=incident.priority,
            severity=incident.severity,
            code=incident.root.code,
            title=incident.title,
            text=self.mask.mask_text(format_text(context)),
            body=self.mask.mask_text(format_body(context, as_text(report))),
            opened_at=incident.opened_at,
            incidents=(str(row.incident_id), *merged),
            drill=incident.drill,
            link=context.link,
            incident=serialize_incident(
                incident, members, (), timeline, self.catalog.get(incident.root.code), suggestions
            ),
            **_describe_root(incident, members),
            **_describe_earlier_attempts(row, receiver, repeated),
        )
        return notification, report

    def compose_digest(
        self,
        row: PendingMessage,
        ordered_incidents: Sequence[Incident],
        since: datetime,
        *,
        receiver: ReceiverState,
        repeated: Sequence[Attempt],
    ) -> Notification:
        """Compose one message about several incidents.

        row: the message of the outbox that stands for all of them. receiver: what its people know.
        ordered_incidents: the most urgent first.
        since: when the first of them was opened.
        repeated: the attempts in doubt that it would repeat.
        """
        maybe_repeat = bool(repeated)
        items = [_build_digest_item(incident) for incident in ordered_incidents]
        lead = ordered_incidents[0]
        links = (
            {item.incident_id: self._build_incident_url(item.incident_id) for item in items}
            if self.link
            else {}
        )
        return Notification(
            id=f"{_build_message_id(row, lead)}-{len(items)}",
            incident_id=str(lead.stored_id),
            reason=NotifyReason.DIGEST,
            priority=lead.priority,
            severity=lead.severity,
            code=lead.root.code,
            title=format_digest_title(items, since),
            text=self.mask.mask_text(format_digest_text(items, since, maybe_repeat=maybe_repeat)),
            body=self.mask.mask_text(format_digest_body(items, since, links, maybe_repeat=maybe_repeat)),
            opened_at=lead.opened_at,
            incidents=tuple(item.incident_id for item in items),
            link=links.get(str(lead.stored_id)),
            **_describe_root(lead, ()),
            **_describe_earlier_attempts(row, receiver, repeated),
        )

    def _build_incident_url(self, incident_id: str) -> str:
        return f"{(self.link or '').rstrip('/')}/incidents/{incident_id}"

    def _build_context(
        self,
        row: PendingMessage,
        incident: Incident,
        members: Sequence[Alert],
        suggestions: Sequence[Suggestion],
        now: datetime,
        *,
        more_urgent: bool,
        maybe_repeat: bool,
    ) -> MessageContext:
        entry = self.catalog.get(incident.root.code)
        root_verdict = find_root_verdict(incident, members)
        resolved_at = incident.resolved_at
        roots = [alert for alert in members if alert.role is Role.ROOT]
        because = root_verdict.because if root_verdict else None
        is_news = because is not None and not is_said(because, incident.title, incident.root.code)
        cause = because if is_news else None
        return MessageContext(
            incident_id=str(row.incident_id),
            reason=row.reason,
            severity=incident.severity,
            priority=incident.priority,
            code=incident.root.code,
            title=incident.title,
            cause=cause,
            place=describe_place(roots, incident.title),
            raw_line=find_raw_line(roots, incident.title, incident.root.code, cause),
            hit_services=list_hit_services(members),
            companies=incident.impact.companies,
            companies_known=incident.impact.companies_known,
            events=sum(alert.count for alert in members),
            first_step=entry.fix.steps[0] if entry and entry.fix.steps else None,
            fix_url=entry.fix.url if entry else None,
            past_fix=f"{suggestions[0].fix} ({suggestions[0].because})" if suggestions else None,
            link=self._build_incident_url(str(row.incident_id)) if self.link else None,
            opened_at=incident.opened_at,
            now=now,
            duration=(resolved_at - incident.opened_at).total_seconds() if resolved_at is not None else None,
            more_urgent=more_urgent,
            rhythm=describe_flapping(incident.flapping) if incident.flapping is not None else None,
            drill=incident.drill,
            maybe_repeat=maybe_repeat,
        )


def _describe_root(incident: Incident, members: Sequence[Alert]) -> dict[str, Any]:
    """Describe where the root cause is, as fields of a notification."""
    root = incident.root
    alert = next(
        (alert for alert in members if (alert.code, alert.tenant, alert.service) == _identify(root)), None
    )
    tags = alert.sample.tags if alert is not None and alert.sample is not None else {}
    return {
        "service": root.service,
        "tenant": root.tenant,
        "component": alert.component if alert is not None else None,
        "tags": tags,
        "owner": next((tags[name] for name in _OWNER_TAGS if tags.get(name)), None),
    }


def _identify(root: Root) -> tuple[str, str | None, str | None]:
    return root.code, root.tenant, root.service


def _describe_earlier_attempts(
    row: PendingMessage, receiver: ReceiverState, repeated: Sequence[Attempt]
) -> dict[str, Any]:
    """Describe the earlier attempts to deliver a message, as fields of its notification."""
    return {
        "maybe_repeat": bool(repeated),
        "attempted_at": min((attempt.at for attempt in repeated), default=None),
        "attempted_texts": tuple(dict.fromkeys(attempt.text for attempt in repeated)),
        "receipts": dict(receiver.receipts) if receiver.receipts_for == row.id else {},
    }


def _build_digest_item(incident: Incident) -> DigestItem:
    return DigestItem(
        incident_id=str(incident.stored_id),
        priority=incident.priority,
        title=incident.title,
        resolved=incident.status is not IncidentStatus.OPEN,
    )


def _build_message_id(row: PendingMessage, incident: Incident) -> str:
    """Build an id that no other message has.

    Every store counts its rows from 1. The time when the incident was opened tells stores apart.
    """
    return f"{row.incident_id}-{row.id}-{incident.opened_at:%Y%m%dT%H%M%S}"
