"""Remembers what came as an event: SDKs send a logging error again as a log, without its tags."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_ENTRIES = 10_000
_WINDOW_S = 120.0
"""Seconds within which the log of an event comes: SDKs send logs in batches."""


class RecentEvents:
    """The trace and the text of each event of the last minutes. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def add(self, trace_id: str | None, text: str | None) -> None:
        """Remember an event. Without a trace or a text it cannot be told from others."""
        if not trace_id or not text:
            return
        with self._lock:
            _, count = self._counts.pop((trace_id, text), (0.0, 0))
            self._counts[trace_id, text] = (self._clock(), count + 1)
            while len(self._counts) > _MAX_ENTRIES:
                self._counts.popitem(last=False)

    def take(self, trace_id: str | None, text: str) -> bool:
        """Whether an event said the same a moment ago; it does so for one log only."""
        if not trace_id:
            return False
        with self._lock:
            at, count = self._counts.pop((trace_id, text), (0.0, 0))
            if not count or self._clock() - at > _WINDOW_S:
                return False
            if count > 1:
                self._counts[trace_id, text] = (at, count - 1)
            return True
