"""One answer for all browsers that ask the same question while nothing has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ENTRIES = 16
"""Answers that are kept; each may hold all that is known of an incident."""


@dataclass
class _Entry:
    """One key's answer. version: None where there is no answer yet. The lock is held to compute it."""

    version: str | None = None
    value: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class VersionedCache:
    """Keeps the newest answer to each question. Each answer is computed by one thread at a time.

    Threads that ask the same question wait for the first of them. Other questions do not wait.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_compute(self, key: str, version: str, compute: Callable[[], Any]) -> Any:
        """The answer of that version, computed where there is none yet. Errors of `compute` are not kept."""
        entry = self._get_entry(key)
        with entry.lock:
            if entry.version != version:
                entry.value = compute()
                entry.version = version
            return entry.value

    def _get_entry(self, key: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            # A thread that computes a dropped entry still has its answer; the next thread computes it again.
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
            return entry
