"""Counts the threads that checks leave behind, by probe."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from firstcause.health.probe_thread import ProbeThread

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LEAKED_THREADS = 100
"""Threads of one probe that may still run after its checks. Above that the probe rests until some have ended.

A client library may well keep some threads; a number that grows with every check would exhaust the process.
"""


class ThreadLeakTracker:
    """Counts leaked threads. One that began while several checks ran counts for the first check to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaked: dict[str, list[threading.Thread]] = {}

    def claim(self, name: str, before: Collection[threading.Thread]) -> None:
        """Assign to a probe whose check is over the threads that began meanwhile.

        before: the threads that ran when the check began.
        """
        with self._lock:
            accounted = {thread for threads in self._leaked.values() for thread in threads} | {*before}
            new_threads = [
                thread
                for thread in threading.enumerate()
                if thread not in accounted and not isinstance(thread, ProbeThread)
            ]
            if new_threads or name in self._leaked:
                self._leaked[name] = [*self._list_alive(name), *new_threads]

    def count(self, name: str) -> int:
        """Count the threads of a probe that still run."""
        with self._lock:
            return len(self._list_alive(name))

    def _list_alive(self, name: str) -> list[threading.Thread]:
        return [thread for thread in self._leaked.get(name, ()) if thread.is_alive()]
