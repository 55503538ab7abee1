"""Check-ins of jobs: one that failed is an error, and one that went well ends it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from firstcause import Event, code_of
from firstcause_sentry.fields import to_text

if TYPE_CHECKING:
    from datetime import datetime

_FAILED_STATUSES = frozenset({"error", "missed", "timeout"})
STATUSES = frozenset({*_FAILED_STATUSES, "ok", "in_progress"})
_DEFAULT_ENVIRONMENT = "production"
"""Sentry's name for the environment of a check-in that has none."""


def build_check_in_event(payload: Any, service: str | None, now: datetime) -> Event | None:
    """Parse a check-in; None if the job has only started, or it is not a check-in."""
    check_in = payload if isinstance(payload, dict) else {}
    slug, status = str(check_in.get("monitor_slug") or "").strip(), check_in.get("status")
    code = code_of(f"cron {slug} failed") if slug else None
    if code is None or status not in {*_FAILED_STATUSES, "ok"}:
        return None
    environment = to_text(check_in.get("environment")) or _DEFAULT_ENVIRONMENT
    failed = status in _FAILED_STATUSES
    outcome = "failed" if status == "error" else str(status)
    details = {
        key: check_in[key]
        for key in ("check_in_id", "duration", "release", "environment")
        if check_in.get(key)
    }
    return Event(
        id=f"sentry:cron:{uuid.uuid4().hex}",
        time=now,
        code=code,
        message=f"the job {slug} {outcome}" if failed else f"the job {slug} went well",
        service=service,
        details={**details, "monitor": slug},
        # A job that goes well in staging does not end the failure of the same job in production.
        labels={"monitor": slug, "environment": environment},
        resolved=not failed,
        announces_end=True,
    )
