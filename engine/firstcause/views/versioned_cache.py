"""One answer for all browsers that ask the same while nothing has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ENTRIES = 16
"""Answers that are kept; each may hold all that is known of an incident."""


class VersionedCache:
    """Made by one at a time: many who ask at once wait for the first, and cost no more than it."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_compute(self, key: str, version: str, compute: Callable[[], Any]) -> Any:
        """The answer of that pulse, made where there is none yet. What make raises is not kept."""
        with self._lock:
            cached = self._entries.get(key)
            if cached is not None and cached[0] == version:
                return cached[1]
            value = compute()
            self._entries[key] = version, value
            self._entries.move_to_end(key)
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
            return value
