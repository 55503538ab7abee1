"""SIGHUP: asks for the rule files to be read again, at any moment of the daemon's life.

Imports nothing heavy, so that the handler is there before the rest of the daemon is imported.
"""

from __future__ import annotations

import queue
import signal


class ReloadRequests:
    """Requests that wait for the loop that reloads.

    A SimpleQueue, as a signal may interrupt `request` by another `request`, and a lock would never come free.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[None] = queue.SimpleQueue()

    def handle_signal(self) -> None:
        """Take SIGHUP from now on; its default ends the process."""
        signal.signal(signal.SIGHUP, lambda *_: self.request())

    def ignore_signal(self) -> None:
        """Ignore SIGHUP, as nobody reloads any more. At its end Python sets all handlers to the default."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def request(self) -> None:
        self._requests.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Whether there is a request; all that wait are one."""
        try:
            self._requests.get(timeout=timeout_s)
        except queue.Empty:
            return False
        while not self._requests.empty():
            self._requests.get()
        return True
