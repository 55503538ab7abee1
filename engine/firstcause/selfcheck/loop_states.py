"""The heartbeats of the daemon's loops, and whether their last steps succeeded."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause.core.selfcheck.state import Failure, LoopState

if TYPE_CHECKING:
    from datetime import datetime


@dataclass
class _Loop:
    max_silence_s: float
    beat_at: float
    thread: threading.Thread | None = None
    failure: Failure | None = None


class LoopStates:
    """What the loops report about themselves. Thread-safe. Times are monotonic: clocks are set, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loops: dict[str, _Loop] = {}

    def register(self, name: str, max_silence_s: float, thread: threading.Thread | None = None) -> None:
        """Add a loop that is about to start. max_silence_s: seconds that its longest step may take."""
        with self._lock:
            self._loops[name] = _Loop(max_silence_s, time.monotonic(), thread)

    def beat(self, name: str) -> None:
        """Record that the loop is alive. A name without a loop, as in another process, is ignored."""
        with self._lock:
            if name in self._loops:
                self._loops[name].beat_at = time.monotonic()

    def record_success(self, name: str) -> None:
        """Record that a step of the loop succeeded."""
        with self._lock:
            loop = self._loops[name]
            loop.beat_at, loop.failure = time.monotonic(), None

    def record_failure(self, name: str, error: str, now: datetime) -> None:
        """Record that a step of the loop failed. The time of the first failure stays."""
        with self._lock:
            loop = self._loops[name]
            loop.beat_at = time.monotonic()
            loop.failure = Failure(loop.failure.since if loop.failure is not None else now, error)

    def list_states(self) -> list[LoopState]:
        """List the loops; empty where no loops run in this process."""
        now = time.monotonic()
        with self._lock:
            return [
                LoopState(
                    name,
                    is_alive=loop.thread is None or loop.thread.is_alive(),
                    silent_s=now - loop.beat_at,
                    max_silence_s=loop.max_silence_s,
                    failure=loop.failure,
                )
                for name, loop in self._loops.items()
            ]

    def list_stalled(self) -> list[str]:
        """List the loops that have ended or hang."""
        return [loop.name for loop in self.list_states() if loop.is_stalled]
