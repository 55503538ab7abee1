"""Counts lost events by reason. The count is reported to the daemon, so that a gap is visible."""

from __future__ import annotations

import threading
from collections import Counter


class LossCounter:
    """Thread-safe counts. total: since the start. Reported losses are not reported again."""

    def __init__(self) -> None:
        # Reentrant: a finalizer that reports may run within.
        self._lock = threading.RLock()
        self._unreported = Counter[str]()
        self.total = Counter[str]()

    def add(self, reason: str, count: int = 1) -> None:
        if count > 0:
            with self._lock:
                self._unreported[reason] += count
                self.total[reason] += count

    def unreported(self) -> dict[str, int]:
        with self._lock:
            return {reason: count for reason, count in self._unreported.items() if count}

    def mark_reported(self, reported: dict[str, int]) -> None:
        with self._lock:
            self._unreported.subtract(reported)


def format_losses(losses: dict[str, int]) -> str:
    count = sum(losses.values())
    reasons = ", ".join(f"{reason}: {number}" for reason, number in sorted(losses.items()))
    return f"{count} error{'s were' if count != 1 else ' was'} not reported ({reasons})"
