"""What is reported about a condition: an event for the pipeline, or a message that goes without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.core.model import Event, Priority, Severity
from firstcause.core.notification import Notification, NotifyReason
from firstcause.core.notify.message import fit_sms
from firstcause.core.selfcheck.conditions import Level

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause.core.selfcheck.conditions import Condition

REPORTER = "firstcause"
"""The name under which firstcause reports itself, in place of a probe's, and the service of its errors."""

WATCHDOG_CODE = "FIRSTCAUSE_WATCHDOG"

_INCIDENT_ID = "firstcause"
"""Messages that go without the pipeline belong to no incident."""


def build_condition_event(condition: Condition, now: datetime, event_id: str) -> Event:
    """Build the event of a condition. What the condition is about is part of the service.

    So two plugins that fail are two alerts, and neither is taken for an error of the component of that name.
    """
    is_severe = condition.level is Level.UNREADY
    return Event(
        id=event_id,
        time=now,
        code=condition.code,
        message="\n".join(filter(None, (condition.summary, condition.detail))),
        severity=Severity.CRITICAL if is_severe else Severity.WARNING,
        service=get_condition_service(condition),
        details={"since": condition.since.isoformat(timespec="seconds"), "fix": condition.fix},
        probe=REPORTER,
    )


def get_condition_service(condition: Condition) -> str:
    """Return the service of a condition's event."""
    return REPORTER if condition.about is None else f"{REPORTER} {condition.part} {condition.about}"


def build_condition_notification(condition: Condition, now: datetime, *, is_over: bool) -> Notification:
    """Build the message about a condition for the way without the pipeline."""
    since = f"{condition.since:%Y-%m-%d %H:%M} UTC"
    head = f"Over: {condition.summary}" if is_over else condition.summary
    lines = [f"firstcause itself: {head}", f"Since {since}."]
    if is_over:
        lines.append(f"It was over by {now:%Y-%m-%d %H:%M} UTC.")
    else:
        lines += [condition.detail] if condition.detail else []
        lines += [f"Fix: {condition.fix}", "This message was sent without the usual pipeline."]
    reason = NotifyReason.RESOLVED if is_over else NotifyReason.FIRST
    key = f"{condition.code} {condition.about or ''} {condition.since:%Y%m%dT%H%M%S} {reason}"
    return _build_notification(condition.code, reason, lines, condition.since, key)


def build_watchdog_notification(text: str, due: datetime, *, is_healthy: bool) -> Notification:
    """Build the watchdog message of one day."""
    severity = Severity.INFO if is_healthy else Severity.WARNING
    message = _build_notification(
        WATCHDOG_CODE, NotifyReason.FIRST, [text], due, f"watchdog {due:%Y%m%dT%H%M}"
    )
    return message.model_copy(update={"priority": Priority.P2, "severity": severity, "title": text})


def _build_notification(
    code: str, reason: NotifyReason, lines: list[str], opened_at: datetime, key: str
) -> Notification:
    return Notification(
        id=f"{_INCIDENT_ID}-{'-'.join(key.split())}",
        incident_id=_INCIDENT_ID,
        reason=reason,
        priority=Priority.P0,
        severity=Severity.CRITICAL,
        code=code,
        title=lines[0],
        text=fit_sms(" ".join(lines[:1])),
        body="\n".join(lines),
        opened_at=opened_at,
        incidents=(),
    )
