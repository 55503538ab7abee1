"""Counts what came in since the start, by format."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LabelPair = tuple[str, str]

_MAX_KINDS = 500
"""Pairs of format and kind that are counted apart; senders invent kinds, and memory must stay bounded."""

_OTHER_KIND = "other"

REJECTION_REASONS = {
    400: "malformed",
    401: "no token",
    403: "wrong token or origin",
    413: "too large",
    415: "unknown encoding",
    422: "no event",
    429: "too many",
    503: "no room",
}
"""HTTP status -> the reason that metrics show."""


class IntakeMetrics:
    """Counts events and requests. Thread-safe.

    accepted: by format, events stored on disk.
    rejected: by format and reason, events and whole requests that were rejected.
    ignored: by format and kind, items that are not errors.
    dropped_by_sender: by format and reason, events that senders report to have dropped themselves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: Counter[str] = Counter()
        self._rejected: Counter[LabelPair] = Counter()
        self._ignored: Counter[LabelPair] = Counter()
        self._dropped_by_sender: Counter[LabelPair] = Counter()

    def record_accepted(
        self, format_name: str, events: int, ignored: Mapping[str, int], dropped_by_sender: Mapping[str, int]
    ) -> None:
        with self._lock:
            self._accepted[format_name] += events
            for counter, counts in ((self._ignored, ignored), (self._dropped_by_sender, dropped_by_sender)):
                for kind, count in counts.items():
                    _add_count(counter, format_name, kind, count)

    def record_rejected(self, format_name: str, status: int, count: int = 1) -> None:
        with self._lock:
            _add_count(self._rejected, format_name, REJECTION_REASONS.get(status, str(status)), count)

    @property
    def accepted(self) -> dict[str, int]:
        with self._lock:
            return dict(self._accepted)

    @property
    def rejected(self) -> dict[LabelPair, int]:
        with self._lock:
            return dict(self._rejected)

    @property
    def ignored(self) -> dict[LabelPair, int]:
        with self._lock:
            return dict(self._ignored)

    @property
    def dropped_by_sender(self) -> dict[LabelPair, int]:
        with self._lock:
            return dict(self._dropped_by_sender)

    def to_dict(self) -> dict[str, object]:
        """Return the counts as `status` shows them."""
        return {
            "accepted": self.accepted,
            "rejected": _nest_by_format(self.rejected),
            "passed": _nest_by_format(self.ignored),
            "lost_by_senders": _nest_by_format(self.dropped_by_sender),
        }


def _add_count(counter: Counter[LabelPair], format_name: str, kind: str, count: int) -> None:
    is_tracked = (format_name, kind) in counter or len(counter) < _MAX_KINDS
    counter[format_name, kind if is_tracked else _OTHER_KIND] += max(count, 0)


def _nest_by_format(counts: Mapping[LabelPair, int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (format_name, kind), count in sorted(counts.items()):
        nested.setdefault(format_name, {})[kind] = count
    return nested
