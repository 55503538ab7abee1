"""Keeps what a stranger's check prints out of our own output, which another program may be reading."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TextIO

log = logging.getLogger("firstcause.health")

CAPTURED_THREAD_PREFIX = "probe "
"""How the names of threads begin whose prints go to the log."""


class ProbeStdout(io.TextIOBase):
    """Stands before a stream: what checks write goes to the log, all else passes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        name = threading.current_thread().name
        if not name.startswith(CAPTURED_THREAD_PREFIX):
            return self._stream.write(text)
        if text.strip():
            log.info("%s printed: %s", name, text.strip()[:500])
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def install_stdout_capture() -> None:
    """From here on nothing that a check prints gets through."""
    if not isinstance(sys.stdout, ProbeStdout):
        sys.stdout = ProbeStdout(sys.stdout)
