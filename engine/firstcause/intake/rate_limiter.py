"""How much each source may send: a bucket each, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SOURCES = 10_000
"""Sources that are remembered; of more, the one that was quiet for longest begins anew."""


_ONE_EVENT = 1 - 1e-9
"""An event, but for what adding up small numbers loses."""


class RateLimiter:
    """rate: events a second that one source may send for long, 0 for any. burst: so many at once.

    A request is let in while its source has an event left, and may take more than that: the source then
    waits the longer. Any thread may ask.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, source: str) -> float:
        """0 where the source may send now, which counts as one event; else the seconds until it may."""
        if not self._rate:
            return 0.0
        now = self._clock()
        with self._lock:
            tokens = self._current_tokens(source, now)
            if tokens < _ONE_EVENT:
                return (1 - tokens) / self._rate
            self._store_tokens(source, tokens - 1, now)
        return 0.0

    def spend(self, source: str, events: int) -> None:
        """The source sent so many more."""
        if not self._rate:
            return
        now = self._clock()
        with self._lock:
            self._store_tokens(source, self._current_tokens(source, now) - events, now)

    def _store_tokens(self, source: str, tokens: float, now: float) -> None:
        self._buckets[source] = (tokens, now)
        self._buckets.move_to_end(source)
        while len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)

    def _current_tokens(self, source: str, now: float) -> float:
        tokens, updated_at = self._buckets.get(source, (self._burst, now))
        return min(self._burst, tokens + (now - updated_at) * self._rate)
