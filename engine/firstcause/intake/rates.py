"""How much each source may send: a bucket each, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10_000
"""Sources that are remembered; of more, the one that was quiet for longest begins anew."""


_ONE = 1 - 1e-9
"""An event, but for what adding up small numbers loses."""


class Rates:
    """rate: events a second that one source may send for long, 0 for any. burst: so many at once.

    A request is let in while its source has an event left, and may take more than that: the source then
    waits the longer. Any thread may ask.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, source: str) -> float:
        """Seconds until the source may send again; 0 where it may now."""
        if not self._rate:
            return 0.0
        with self._lock:
            left = self._now(source, self._clock())
        return 0.0 if left > _ONE else (1 - left) / self._rate

    def spend(self, source: str, events: int) -> None:
        """The source sent so many; a request without any counts as one."""
        if not self._rate:
            return
        now = self._clock()
        with self._lock:
            self._left[source] = (self._now(source, now) - max(events, 1), now)
            self._left.move_to_end(source)
            while len(self._left) > MOST:
                self._left.popitem(last=False)

    def _now(self, source: str, now: float) -> float:
        left, at = self._left.get(source, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate)
