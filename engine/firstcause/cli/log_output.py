"""The log on standard error: no text from outside forges a line, and a store that is away fills no log."""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause.core.sanitize import escape_invisible, format_json
from firstcause.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

REPEAT_INTERVAL_S = 60.0
"""Seconds within which the same trouble with the store is logged once."""

_OWN_LOGGER = "firstcause"


class LogFormatter(logging.Formatter):
    """Formats a record so that only its first line looks like one of the log."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        """Return the time with its zone, so that it can be compared with other machines' logs."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        """Write out what would act on a terminal, and indent all lines but the first."""
        return "\n    ".join(escape_invisible(super().format(record)).splitlines())


class JsonLogFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, and error with its stack."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line. The time is UTC."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = self.formatException(record.exc_info)
        return format_json(fields)


class StoreErrorFilter(logging.Filter):
    """Lets one record a minute through while the store is away, with the number of those that it held back.

    Every loop of the daemon and every request fails then, each with an error of its own. Any other error
    of the store is kept apart by its text.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._passed_at: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; a count is added to its message."""
        key = _find_key(record)
        if key is None:
            return True
        with self._lock:
            now = self._clock()
            passed_at = self._passed_at.get(key)
            if passed_at is not None and now - passed_at < REPEAT_INTERVAL_S:
                self._held_back[key] = self._held_back.get(key, 0) + 1
                return False
            self._passed_at[key] = now
            held_back = self._held_back.pop(key, 0)
            self._forget_outdated(now)
        if held_back:
            record.msg, record.args = f"{record.getMessage()} ({held_back} more were not logged)", ()
        return True

    def _forget_outdated(self, now: float) -> None:
        """Forget what is over, so that errors with ever new texts do not fill the memory."""
        for key in [key for key, at in self._passed_at.items() if now - at >= REPEAT_INTERVAL_S]:
            del self._passed_at[key]
        for key in self._held_back.keys() - self._passed_at.keys() - {_UNAVAILABLE_KEY}:
            del self._held_back[key]


_UNAVAILABLE_KEY = "unavailable"


def _find_key(record: logging.LogRecord) -> str | None:
    """Find what the record is counted under; None for a record that is not about the store."""
    values = record.args.values() if isinstance(record.args, dict) else record.args or ()
    raised = record.exc_info[1] if record.exc_info else None
    for value in (*values, raised):
        if isinstance(value, StoreUnavailableError):
            return _UNAVAILABLE_KEY
        if isinstance(value, StoreError):
            return str(value)
    return None


def log_to_stderr(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Log to standard error from now on: our own records from `level`, those of libraries from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLogFormatter() if as_json else LogFormatter())
    handler.addFilter(StoreErrorFilter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger(_OWN_LOGGER).setLevel(level)
