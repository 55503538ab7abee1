"""One answer for all browsers that ask the same while nothing has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 16
"""Answers that are kept; each may hold all that is known of an incident."""


class Remembered:
    """Made by one at a time: many who ask at once wait for the first, and cost no more than it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, key: str, pulse: str, make: Callable[[], Any]) -> Any:
        """The answer of that pulse, made where there is none yet. What make raises is not kept."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None and known[0] == pulse:
                return known[1]
            made = make()
            self._kept[key] = pulse, made
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return made
