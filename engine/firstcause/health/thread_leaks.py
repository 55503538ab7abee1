"""Threads that checks leave behind: whose they are, and how many still run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from firstcause.health.stdout_capture import HUSHED

if TYPE_CHECKING:
    from collections.abc import Collection

MOST = 100
"""Threads of one probe that still run after its checks; with more it is not asked until some have ended.

A client library may well keep some; one that grows with every check would end us.
"""


class Leftovers:
    """A thread that began while several checks ran counts for the one that ended first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, list[threading.Thread]] = {}

    def claim(self, name: str, before: Collection[threading.Thread]) -> None:
        """The check of a probe is over. before: the threads that there were when it began."""
        with self._lock:
            known = {each for left in self._left.values() for each in left} | {*before}
            fresh = [each for each in threading.enumerate() if each not in known and not _is_a_check(each)]
            if fresh or name in self._left:
                self._left[name] = [*self._alive(name), *fresh]

    def count(self, name: str) -> int:
        """How many threads of a probe still run."""
        with self._lock:
            return len(self._alive(name))

    def _alive(self, name: str) -> list[threading.Thread]:
        return [each for each in self._left.get(name, ()) if each.is_alive()]


def _is_a_check(thread: threading.Thread) -> bool:
    return thread.name.startswith(HUSHED)
