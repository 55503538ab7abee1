"""Keeps what plugins' code prints out of our own output, which another program may be reading."""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from typing import TextIO

from firstcause.plugins.plugin_thread import PluginThread

log = logging.getLogger("firstcause.host")

LOG_INTERVAL_S = 60.0
"""Seconds within which one print of a thread's name is logged. The others are counted."""

_MAX_LOGGED_LENGTH = 500
"""Characters of one print that are logged."""

_MAX_NAMES = 1000


class PluginStdout(io.TextIOBase):
    """Sends what threads of plugins write to the log; passes everything else on to the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._last_logged: dict[str, tuple[float, int]] = {}

    def write(self, text: str) -> int:
        thread = threading.current_thread()
        if not isinstance(thread, PluginThread):
            return self._stream.write(text)
        if text.strip() and (held_back := self._count_held_back(thread.name)) is not None:
            suffix = f" ({held_back} further prints were not logged)" if held_back else ""
            log.info("%s printed: %s%s", thread.name, text.strip()[:_MAX_LOGGED_LENGTH], suffix)
        return len(text)

    def _count_held_back(self, name: str) -> int | None:
        """Count the prints since the last one that was logged; None if this one is held back too."""
        with self._lock:
            now = time.monotonic()
            logged_at, held_back = self._last_logged.get(name, (None, 0))
            if logged_at is not None and now - logged_at < LOG_INTERVAL_S:
                self._last_logged[name] = logged_at, held_back + 1
                return None
            if len(self._last_logged) >= _MAX_NAMES:
                self._last_logged.clear()
            self._last_logged[name] = now, 0
            return held_back

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def install_stdout_capture() -> None:
    """Replace the standard output, so that nothing that a plugin prints gets through from now on."""
    if not isinstance(sys.stdout, PluginStdout):
        sys.stdout = PluginStdout(sys.stdout)
