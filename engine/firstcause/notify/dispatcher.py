"""Runs the jobs of notifiers side by side, one at a time for each, so that none waits for another one."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from firstcause.notify.delivery import Job

log = logging.getLogger("firstcause.notify")


class DeliveryDispatcher:
    """Gives each notifier a thread while it has a job.

    wake: called when a job has ended, so that the next one can start.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def list_busy(self) -> frozenset[str]:
        """List the notifiers that have a job."""
        with self._lock:
            return frozenset(self._threads)

    def start(self, jobs: Iterable[Job]) -> int:
        """Start the jobs of notifiers that have none. Return how many jobs there were, with empty ones."""
        count = 0
        for job in jobs:
            count += 1
            if job.notifier is None:
                continue
            thread = threading.Thread(
                target=self._run_job,
                args=(job.notifier, job.run),
                name=f"deliver by {job.notifier}",
                daemon=True,
            )
            with self._lock:
                self._threads[job.notifier] = thread
            thread.start()
        return count

    def join(self, timeout_s: float) -> None:
        """Wait for the running jobs. What still runs then is in doubt, and is sent again after a restart."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if busy := self.list_busy():
            log.warning("stopped while %s had not answered; the message is in doubt", ", ".join(sorted(busy)))

    def _run_job(self, notifier: str, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception:
            # The claim of the message ends by itself, and the message is tried again.
            log.exception("notifier %s: the result of a message could not be stored", notifier)
        finally:
            with self._lock:
                del self._threads[notifier]
            self._wake()
