"""Keeps what plugins' checks print out of our own output, which another program may be reading."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TextIO

from firstcause.health.probe_thread import ProbeThread

log = logging.getLogger("firstcause.health")

_MAX_LOGGED_LENGTH = 500
"""Characters of one print that are logged."""


class ProbeStdout(io.TextIOBase):
    """Sends what probe threads write to the log; passes everything else on to the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        thread = threading.current_thread()
        if not isinstance(thread, ProbeThread):
            return self._stream.write(text)
        if text.strip():
            log.info("%s printed: %s", thread.name, text.strip()[:_MAX_LOGGED_LENGTH])
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def install_stdout_capture() -> None:
    """Replace the standard output, so that nothing that a check prints gets through from now on."""
    if not isinstance(sys.stdout, ProbeStdout):
        sys.stdout = ProbeStdout(sys.stdout)
