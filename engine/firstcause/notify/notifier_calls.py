"""Calls notifiers for a limited time, and knows whose earlier call still has not returned."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.hookspecs.types import Notifier

T = TypeVar("T")

log = logging.getLogger("firstcause.notify")


class NotifierCalls:
    """Calls notifiers. A notifier that hangs is not called again until it returns. Thread-safe.

    Nothing can end a thread that hangs, so that one notifier holds at most one such thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unfinished: dict[str, tuple[threading.Event, datetime]] = {}

    def call(self, notifier: Notifier, function: Callable[[], T]) -> T:
        """Return the function's result; what it raises is raised here.

        CallTimeoutError: it did not return within the notifier's timeout, or an earlier call still runs.
        """
        if notifier.name in self.list_hanging():
            raise CallTimeoutError(f"notifier {notifier.name} has not returned from an earlier call")
        finished = threading.Event()

        def run() -> T:
            try:
                return function()
            finally:
                finished.set()

        try:
            return call_with_timeout(run, notifier.timeout, f"notifier {notifier.name}")
        except CallTimeoutError:
            with self._lock:
                self._unfinished[notifier.name] = finished, datetime.now(UTC)
            log.warning(
                "notifier %s did not return within %g s; it is passed over until it does",
                notifier.name, notifier.timeout,
            )  # fmt: skip
            raise

    def list_hanging(self) -> dict[str, datetime]:
        """List the notifiers whose call still runs after its timeout, and when the timeout passed."""
        with self._lock:
            for name in [name for name, (finished, _) in self._unfinished.items() if finished.is_set()]:
                del self._unfinished[name]
                log.info("notifier %s has returned; it is used again", name)
            return {name: since for name, (_, since) in sorted(self._unfinished.items())}
