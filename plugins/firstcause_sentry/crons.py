"""Check-ins of jobs: one that failed is an error, and one that went well ends it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause import DEFAULT_GROUPING, Event, code_of
from firstcause_sentry.fields import MAX_NAME_LENGTH, to_text

if TYPE_CHECKING:
    from datetime import datetime

_FAILED_STATUSES = frozenset({"error", "missed", "timeout"})
STATUSES = frozenset({*_FAILED_STATUSES, "ok", "in_progress"})
_DEFAULT_ENVIRONMENT = "production"
"""Sentry's name for the environment of a check-in that has none."""

_MAX_FAILING_JOBS = 1000


@dataclass
class CronMonitor:
    """Remembers which jobs failed, so that their recovery is reported at once; other successes hourly."""

    _failing: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def to_event(self, payload: Any, service: str | None, now: datetime) -> Event | None:
        """Parse a check-in; None if the job has only started, or it is not a check-in."""
        check_in = payload if isinstance(payload, dict) else {}
        slug, status = str(check_in.get("monitor_slug") or "").strip(), check_in.get("status")
        code = code_of(f"cron {slug} failed") if slug else None
        if code is None or status not in {*_FAILED_STATUSES, "ok"}:
            return None
        environment = to_text(check_in.get("environment")) or _DEFAULT_ENVIRONMENT
        name = f"{slug}|{environment}"
        failed = status in _FAILED_STATUSES
        outcome = "failed" if status == "error" else str(status)
        details = {
            key: check_in[key]
            for key in ("check_in_id", "duration", "release", "environment")
            if check_in.get(key)
        }
        return Event(
            id=self._make_event_id(name, str(check_in.get("check_in_id")), now, failed=failed),
            time=now,
            code=code,
            message=f"the job {slug} {outcome}" if failed else f"the job {slug} went well",
            service=service,
            details={**details, "monitor": slug},
            tags={"environment": environment[:MAX_NAME_LENGTH]},
            resolved=not failed,
            announces_end=True,
            # A job that goes well in staging does not end the alert of the same job in production.
            grouping=() if environment == _DEFAULT_ENVIRONMENT else (DEFAULT_GROUPING, environment),
        )

    def _make_event_id(self, name: str, check_in: str, now: datetime, *, failed: bool) -> str:
        with self._lock:
            was_failing = name in self._failing
            self._failing.pop(name, None)
            if failed:
                self._failing[name] = None
                while len(self._failing) > _MAX_FAILING_JOBS:
                    self._failing.popitem(last=False)
        repeat_key = f"{check_in}|{failed}" if failed or was_failing else f"{now:%Y-%m-%dT%H}"
        identity = f"{name}|{repeat_key}".encode("utf-8", "replace")
        return f"sentry:cron:{hashlib.blake2b(identity, digest_size=16).hexdigest()}"
