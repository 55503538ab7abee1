"""What came in since the start, counted by request and by format."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Pair = tuple[str, str]

_MOST = 500
"""Kinds that are told apart; senders invent names, and memory is bounded."""

_OTHER = "other"

REASONS = {
    400: "malformed",
    401: "no token",
    403: "wrong token or origin",
    413: "too large",
    415: "unknown encoding",
    422: "no event",
    429: "too many",
    503: "no room",
}
"""HTTP status -> the word for it."""


class Counts:
    """Any thread may count.

    accepted: format -> events on disk. rejected: format and reason -> events and whole requests that were
    refused. passed: format and kind -> what was let go. lost: format and reason -> what senders say that
    they dropped themselves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: Counter[str] = Counter()
        self._rejected: Counter[Pair] = Counter()
        self._passed: Counter[Pair] = Counter()
        self._lost: Counter[Pair] = Counter()

    def took(self, form: str, events: int, passed: Mapping[str, int], lost: Mapping[str, int]) -> None:
        with self._lock:
            self._accepted[form] += events
            for counter, found in ((self._passed, passed), (self._lost, lost)):
                for kind, number in found.items():
                    _add(counter, form, kind, number)

    def refused(self, form: str, status: int, number: int = 1) -> None:
        with self._lock:
            _add(self._rejected, form, REASONS.get(status, str(status)), number)

    @property
    def accepted(self) -> dict[str, int]:
        with self._lock:
            return dict(self._accepted)

    @property
    def rejected(self) -> dict[Pair, int]:
        with self._lock:
            return dict(self._rejected)

    @property
    def passed(self) -> dict[Pair, int]:
        with self._lock:
            return dict(self._passed)

    @property
    def lost(self) -> dict[Pair, int]:
        with self._lock:
            return dict(self._lost)

    def answer(self) -> dict[str, object]:
        """As `status` shows it."""
        return {
            "accepted": self.accepted,
            "rejected": _nested(self.rejected),
            "passed": _nested(self.passed),
            "lost_by_senders": _nested(self.lost),
        }


def _add(counter: Counter[Pair], form: str, kind: str, number: int) -> None:
    known = (form, kind) in counter or len(counter) < _MOST
    counter[form, kind if known else _OTHER] += max(number, 0)


def _nested(found: Mapping[Pair, int]) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for (form, kind), number in sorted(found.items()):
        told.setdefault(form, {})[kind] = number
    return told
