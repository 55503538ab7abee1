"""What envelopes bring besides errors: counted, and let go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause import IntakeError
from firstcause_sentry.envelope import document

if TYPE_CHECKING:
    from firstcause_sentry.envelope import Item

_KNOWN = frozenset(
    {
        "attachment", "check_in", "event", "feedback", "form_data", "log", "metric", "metric_meta",
        "otel_log", "profile", "profile_chunk", "raw_security", "replay_event", "replay_recording",
        "replay_video", "security", "span", "statsd", "trace_metric", "transaction", "unreal_report",
        "user_report",
    }
)  # fmt: skip
_ENDINGS = ("exited", "ok", "errored", "crashed", "abnormal", "unhandled")
_LONGEST = 60
_MOST = 10**9


@dataclass
class Besides:
    """passed: by kind. lost: what the SDK says that it dropped, by category and reason."""

    passed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def count(self, item: Item) -> None:
        """Any item; what cannot be read in it counts as one of its type."""
        try:
            match item.type:
                case "client_report":
                    self._dropped(document(item.payload, "the client report"))
                case "session":
                    self._session(document(item.payload, "the session"))
                case "sessions":
                    self._sessions(document(item.payload, "the sessions"))
                case other:
                    self.passed[other if other in _KNOWN else "other"] += 1
        except IntakeError:
            self.passed[f"{item.type}, unreadable"] += 1

    def _dropped(self, sent: Any) -> None:
        self.passed["client_report"] += 1
        listed = sent.get("discarded_events") if isinstance(sent, dict) else None
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict):
                name = f"{each.get('category')}: {each.get('reason')}"
                self.lost[name[:_LONGEST]] += _number(each.get("quantity"))

    def _session(self, sent: Any) -> None:
        status = sent.get("status") if isinstance(sent, dict) else None
        self.passed[f"session {status if status in _ENDINGS else 'other'}"] += 1

    def _sessions(self, sent: Any) -> None:
        listed = sent.get("aggregates") if isinstance(sent, dict) else None
        for each in listed if isinstance(listed, list) else ():
            for ending in _ENDINGS:
                if isinstance(each, dict) and (number := _number(each.get(ending))):
                    self.passed[f"session {ending}"] += number


def _number(value: object) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
    return int(value) if fits else 0  # type: ignore[call-overload]
