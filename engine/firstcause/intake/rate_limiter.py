"""Limits how much each source may send: a token bucket for each source."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SOURCES = 10_000
"""Sources that have a bucket; above that the source that was quiet for longest loses its bucket."""

_ONE_EVENT = 1 - 1e-9
"""One token, less what rounding may have lost."""


class RateLimiter:
    """Limits events by source. Thread-safe.

    rate: events a second that a source may send in the long run; 0 means no limit. burst: events at once.
    A request is admitted while its source has a token left. A larger request is admitted too; the source is
    then throttled for longer.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, source: str) -> float:
        """Take one token and return 0; or return the seconds until the source may send again."""
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
        """Take a token for each further event of an admitted request."""
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
