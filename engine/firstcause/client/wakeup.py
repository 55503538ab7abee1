"""Wakes the client's thread, whatever a thread is: gevent and eventlet put others in its place."""

from __future__ import annotations

import threading

_MAX_WAIT_S = 5.0
"""Seconds of one wait. A lock of eventlet's that another thread frees may not wake its waiter."""


class Wakeup:
    """What one thread waits for. Made when that thread starts, so that both are patched or neither is.

    A lock and no Event: a signal's handler may call `wake` while the same thread is within `wake`.
    """

    def __init__(self) -> None:
        self.is_closing = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float) -> None:
        """Wait until `wake` or `close`, or for a while; the caller looks again."""
        if seconds > 0 and not self.is_closing:
            self._lock.acquire(timeout=min(seconds, _MAX_WAIT_S))

    def wake(self) -> None:
        """End a wait, or the next one."""
        try:
            self._lock.release()
        except RuntimeError:
            """It is free already."""

    def close(self) -> None:
        """End all waits, for good."""
        self.is_closing = True
        self.wake()
