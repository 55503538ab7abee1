"""Counts the threads that plugins' code leaves behind, by probe or plugin."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from firstcause.plugins.plugin_thread import PluginThread

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LEAKED_THREADS = 100
"""Threads of one probe or plugin that may still run after its calls. Above that it rests.

A client library may well keep some threads; a number that grows with every call would exhaust the process.
"""


class ThreadLeakTracker:
    """Counts leaked threads. One that began while several calls ran counts for the first call to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaked: dict[str, list[threading.Thread]] = {}

    def claim(self, name: str, before: Collection[threading.Thread]) -> None:
        """Assign to a probe or plugin whose call is over the threads that began meanwhile.

        before: the threads that ran when the call began.
        """
        with self._lock:
            accounted = {thread for threads in self._leaked.values() for thread in threads} | {*before}
            new_threads = [
                thread
                for thread in threading.enumerate()
                if thread not in accounted and not isinstance(thread, PluginThread)
            ]
            if new_threads or name in self._leaked:
                self._leaked[name] = [*self._list_alive(name), *new_threads]

    def count(self, name: str) -> int:
        """Count the threads of a probe or plugin that still run."""
        with self._lock:
            return len(self._list_alive(name))

    def _list_alive(self, name: str) -> list[threading.Thread]:
        return [thread for thread in self._leaked.get(name, ()) if thread.is_alive()]
