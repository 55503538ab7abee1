"""Threads that checks leave behind: whose they are, and how many still run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from firstcause.health.stdout_capture import CAPTURED_THREAD_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LEAKED_THREADS = 100
"""Threads of one probe that still run after its checks; with more it is not asked until some have ended.

A client library may well keep some; one that grows with every check would end us.
"""


class ThreadLeakTracker:
    """A thread that began while several checks ran counts for the one that ended first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaked: dict[str, list[threading.Thread]] = {}

    def claim(self, name: str, before: Collection[threading.Thread]) -> None:
        """The check of a probe is over. before: the threads that there were when it began."""
        with self._lock:
            accounted = {thread for threads in self._leaked.values() for thread in threads} | {*before}
            new_threads = [
                thread
                for thread in threading.enumerate()
                if thread not in accounted and not _is_check_thread(thread)
            ]
            if new_threads or name in self._leaked:
                self._leaked[name] = [*self._list_alive(name), *new_threads]

    def count(self, name: str) -> int:
        """How many threads of a probe still run."""
        with self._lock:
            return len(self._list_alive(name))

    def _list_alive(self, name: str) -> list[threading.Thread]:
        return [thread for thread in self._leaked.get(name, ()) if thread.is_alive()]


def _is_check_thread(thread: threading.Thread) -> bool:
    return thread.name.startswith(CAPTURED_THREAD_PREFIX)
