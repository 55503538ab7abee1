"""How many events were lost, and why; told to the daemon, so that a gap is known to be one."""

from __future__ import annotations

import threading
from collections import Counter


class Losses:
    """Counted by any thread. total: since the start. What was told is not told again."""

    def __init__(self) -> None:
        # Reentrant: a finalizer that reports may run within.
        self._lock = threading.RLock()
        self._untold = Counter[str]()
        self.total = Counter[str]()

    def add(self, why: str, count: int = 1) -> None:
        if count > 0:
            with self._lock:
                self._untold[why] += count
                self.total[why] += count

    def untold(self) -> dict[str, int]:
        with self._lock:
            return {why: count for why, count in self._untold.items() if count}

    def told(self, these: dict[str, int]) -> None:
        with self._lock:
            self._untold.subtract(these)


def sentence(these: dict[str, int]) -> str:
    count = sum(these.values())
    reasons = ", ".join(f"{why}: {each}" for why, each in sorted(these.items()))
    return f"{count} error{'s were' if count != 1 else ' was'} not reported ({reasons})"
