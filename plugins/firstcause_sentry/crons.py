"""Check-ins of jobs: one that failed is an error, and one that went well ends it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause import Event, code_of

if TYPE_CHECKING:
    from datetime import datetime

_FAILED = frozenset({"error", "missed", "timeout"})
_MOST = 1000


@dataclass
class Crons:
    """Remembers which jobs failed, so that their ends are said at once; of others once an hour."""

    _failing: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, sent: Any, service: str | None, now: datetime) -> Event | None:
        """None of what has just begun, and of what is no check-in."""
        given = sent if isinstance(sent, dict) else {}
        slug, status = str(given.get("monitor_slug") or "").strip(), given.get("status")
        code = code_of(f"cron {slug} failed") if slug else None
        if code is None or status not in {*_FAILED, "ok"}:
            return None
        place = given.get("environment")
        name = f"{slug}|{place}"
        failed = status in _FAILED
        told = "failed" if status == "error" else str(status)
        details = {
            key: given[key] for key in ("check_in_id", "duration", "release", "environment") if given.get(key)
        }
        return Event(
            id=self._id(name, str(given.get("check_in_id")), now, failed=failed),
            time=now,
            code=code,
            message=f"the job {slug} {told}" if failed else f"the job {slug} went well",
            service=service,
            details={**details, "monitor": slug},
            resolved=not failed,
        )

    def _id(self, name: str, check_in: str, now: datetime, *, failed: bool) -> str:
        with self._lock:
            before = name in self._failing
            self._failing.pop(name, None)
            if failed:
                self._failing[name] = None
                while len(self._failing) > _MOST:
                    self._failing.popitem(last=False)
        again = f"{check_in}|{failed}" if failed or before else f"{now:%Y-%m-%dT%H}"
        told = f"{name}|{again}".encode("utf-8", "replace")
        return f"sentry:cron:{hashlib.blake2b(told, digest_size=16).hexdigest()}"
