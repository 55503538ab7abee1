"""Counts the items of envelopes that are not errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause import IntakeError
from firstcause_sentry.envelope import parse_json

if TYPE_CHECKING:
    from firstcause_sentry.envelope import Item

_KNOWN_TYPES = frozenset(
    {
        "attachment", "check_in", "event", "feedback", "form_data", "log", "metric", "metric_meta",
        "otel_log", "profile", "profile_chunk", "raw_security", "replay_event", "replay_recording",
        "replay_video", "security", "span", "statsd", "trace_metric", "transaction", "unreal_report",
        "user_report",
    }
)  # fmt: skip
_SESSION_STATUSES = ("exited", "ok", "errored", "crashed", "abnormal", "unhandled")
_LOG_LEVELS = frozenset({"trace", "debug", "info", "warn", "warning"})
_MAX_NAME_LENGTH = 60
_MAX_QUANTITY = 10**9


@dataclass
class ItemCounts:
    """ignored: by kind. dropped_by_sender: what the SDK reports to have dropped, by category and reason."""

    ignored: Counter[str] = field(default_factory=Counter)
    dropped_by_sender: Counter[str] = field(default_factory=Counter)

    def count(self, item: Item) -> None:
        """Any item; what cannot be read in it counts as one of its type."""
        try:
            match item.type:
                case "client_report":
                    self._count_dropped(parse_json(item.payload, "the client report"))
                case "session":
                    self._count_session(parse_json(item.payload, "the session"))
                case "sessions":
                    self._count_sessions(parse_json(item.payload, "the sessions"))
                case other_type:
                    self.ignored[other_type if other_type in _KNOWN_TYPES else "other"] += 1
        except IntakeError:
            self.ignored[f"{item.type}, unreadable"] += 1

    def count_log(self, level: str, *, readable: bool) -> None:
        """Count a log that is not an error, or cannot be read."""
        name = level if level in _LOG_LEVELS else "other"
        self.ignored[f"log {name}" if readable else "log, unreadable"] += 1

    def _count_dropped(self, report: Any) -> None:
        self.ignored["client_report"] += 1
        entries = report.get("discarded_events") if isinstance(report, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                name = f"{entry.get('category')}: {entry.get('reason')}"
                self.dropped_by_sender[name[:_MAX_NAME_LENGTH]] += _parse_quantity(entry.get("quantity"))

    def _count_session(self, session: Any) -> None:
        status = session.get("status") if isinstance(session, dict) else None
        self.ignored[f"session {status if status in _SESSION_STATUSES else 'other'}"] += 1

    def _count_sessions(self, sessions: Any) -> None:
        aggregates = sessions.get("aggregates") if isinstance(sessions, dict) else None
        for aggregate in aggregates if isinstance(aggregates, list) else ():
            for status in _SESSION_STATUSES:
                if isinstance(aggregate, dict) and (quantity := _parse_quantity(aggregate.get(status))):
                    self.ignored[f"session {status}"] += quantity


def _parse_quantity(value: object) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_QUANTITY
    return int(value) if fits else 0  # type: ignore[call-overload]
