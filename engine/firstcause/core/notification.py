"""What a notifier is asked to tell people, and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from firstcause.core.model import ForeignLine, Frozen, Priority, Severity
from firstcause.core.sanitize import escape_invisible

_MAX_SUBJECT_LENGTH = 120


class NotifyReason(StrEnum):
    """Why a person is notified.

    escalated: it is worse, or nobody acknowledged it. reminder: it is still open, and nobody did. digest:
    several messages in one, as there were too many. flapping: it ends and returns again and again. steady:
    it no longer does, and lasts.
    """

    FIRST = "first"
    NEW_ROOT = "new_root"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    DIGEST = "digest"
    FLAPPING = "flapping"
    STEADY = "steady"
    RESOLVED = "resolved"


class Notification(Frozen):
    """What a notifier is asked to say. `text` fits one SMS; `body` is the whole message, plain text.

    id: the same with every try to deliver this message, and of no other message.
    opened_at: when the incident began, None where that is not known.
    service, tenant, component: of the root cause, None where unknown. tags: of its latest event, with what
        enrichment added. owner: who is responsible, by the first of the tags `owner` and `team`.
    link: the incident's page, None without [notify] link.
    incident: what `firstcause incident ID --json` prints; empty in a digest.
    incidents: all that it is about; the first is incident_id. Others were merged into that one, or a limit
        held their messages back.
    drill: it is a test alert; the texts say so too.
    maybe_repeat: an earlier attempt may have delivered this already, as its answer did not arrive or
        firstcause stopped; the texts say so too.
    attempted_at: when the first such attempt began, None where there was none.
    attempted_texts: `text` of each such attempt, the oldest first.
    receipts: for a notifier with several receivers: receiver -> reference, of those that have the message
        from an earlier attempt.
    """

    id: str
    incident_id: str
    reason: NotifyReason
    priority: Priority
    severity: Severity
    code: ForeignLine
    title: ForeignLine
    text: ForeignLine
    body: Annotated[str, AfterValidator(escape_invisible)]
    opened_at: datetime | None = None
    service: ForeignLine | None = None
    tenant: ForeignLine | None = None
    component: ForeignLine | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    owner: ForeignLine | None = None
    link: str | None = None
    incident: dict[str, Any] = Field(default_factory=dict, exclude=True)
    incidents: tuple[str, ...] = ()
    drill: bool = False
    maybe_repeat: bool = False
    attempted_at: datetime | None = Field(default=None, exclude=True)
    attempted_texts: tuple[str, ...] = Field(default=(), exclude=True)
    receipts: dict[str, str] = Field(default_factory=dict, exclude=True)

    @property
    def subject(self) -> str:
        """At most 120 characters, for where a message has a title: "[P0] CRITICAL: what it is (#12)"."""
        label, colon, _ = self.text.partition(": ")
        content = " ".join((f"{label}: {self.title}" if colon else self.title).split())
        prefix, suffix = f"[{self.priority}] ", f" (#{self.incident_id})"
        available = _MAX_SUBJECT_LENGTH - len(prefix) - len(suffix)
        return f"{prefix}{content if len(content) <= available else f'{content[: available - 3]}...'}{suffix}"
