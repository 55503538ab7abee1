"""Keeps what a stranger's check prints out of our own output, which another program may be reading."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TextIO

log = logging.getLogger("firstcause.health")

HUSHED = "probe "
"""How the names of threads begin whose prints go to the log."""


class Hushed(io.TextIOBase):
    """Stands before a stream: what checks write goes to the log, all else passes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        name = threading.current_thread().name
        if not name.startswith(HUSHED):
            return self._stream.write(text)
        if text.strip():
            log.info("%s printed: %s", name, text.strip()[:500])
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def hush() -> None:
    """From here on nothing that a check prints gets through."""
    if not isinstance(sys.stdout, Hushed):
        sys.stdout = Hushed(sys.stdout)
