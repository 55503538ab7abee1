"""Remembers that the store cannot be written, until a check has shown that it can be again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from firstcause.core.selfcheck.state import Failure


class WriteFailures:
    """The failure that lasts, if there is one. Thread-safe.

    Only a check that really writes ends a failure: a transaction that changes nothing succeeds on a full
    disk too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: Failure | None = None

    @property
    def current(self) -> Failure | None:
        """The failure; None where the store could be written the last time."""
        return self._current

    def record(self, error: str) -> None:
        """Record that a write failed. The time of the first failure stays."""
        with self._lock:
            since = self._current.since if self._current is not None else datetime.now(UTC)
            self._current = Failure(since, error)

    def clear(self) -> None:
        """Record that the store could be written."""
        with self._lock:
            self._current = None
