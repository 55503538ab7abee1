"""The client: what the application's threads put in, and the thread that takes it away."""

from __future__ import annotations

import atexit
import itertools
import os
import queue
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from firstcause.client.capture import CapturedError, capture_error
from firstcause.client.context import get_bound_fields
from firstcause.client.loss_counter import LossCounter

if TYPE_CHECKING:
    from firstcause.client.exception_info import CodeLocation
    from firstcause.client.settings import Settings
    from firstcause.client.worker import Worker

_REPORTED_ATTRIBUTE = "_firstcause_reported"
_REPEAT_WINDOW_S = 60.0
"""Seconds within which an exception that is passed on is not reported again by those it passes."""


class Client:
    """Reports to one daemon. Nothing here raises, and nothing waits but flush() and close()."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reset_state()
        _CLIENTS.add(self)

    def _reset_state(self) -> None:
        """As if there were nothing yet: also in a forked child, where the parent's thread does not run."""
        self.losses = LossCounter()
        self._queue: queue.SimpleQueue[CapturedError | threading.Event | None] = queue.SimpleQueue()
        self._reporting = threading.local()
        # Reentrant: a signal's handler may report while the thread is started.
        self._start_lock = threading.RLock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._prefix = os.urandom(8).hex()
        self._id_counter = itertools.count(1)

    def report(
        self,
        error: BaseException | None = None,
        *,
        once: bool = False,
        location: CodeLocation | None = None,
        timestamp: float | None = None,
        **fields: Any,
    ) -> str | None:
        """The id of the event, None where there is none. given: its fields.

        once: not where this exception was reported a moment ago. where, at: the line of code and the time,
        else those of the exception or the caller, and now.
        """
        if not self.settings.url:
            return None
        if getattr(self._reporting, "on", False):
            # A __str__ that logs an error, or the worker itself, could loop for ever.
            if threading.current_thread() is not self._thread:
                self.losses.add("reported while another was")
            return None
        self._reporting.on = True
        try:
            if error is not None and self._was_just_reported(error) and once:
                return None
            if self._queue.qsize() >= self.settings.queue_size:
                self.losses.add("the queue was full")
                return None
            event_id = fields["id"] = str(fields.get("id") or self.new_id())
            self._queue.put(capture_error(error, fields, get_bound_fields(), location, timestamp))
            if self._thread is None:
                self.start()
        except Exception:  # noqa: BLE001 - what reports errors must not be one
            self.losses.add("could not be taken")
            return None
        else:
            return event_id
        finally:
            self._reporting.on = False

    def new_id(self) -> str:
        return f"{self._prefix}-{next(self._id_counter)}"

    def _was_just_reported(self, error: BaseException) -> bool:
        """Whether it was a moment ago; from now on it is."""
        now = time.monotonic()
        try:
            previous = getattr(error, _REPORTED_ATTRIBUTE, None)
            setattr(error, _REPORTED_ATTRIBUTE, now)
        except Exception:  # noqa: BLE001 - some take no attributes
            return False
        return type(previous) is float and now - previous < _REPEAT_WINDOW_S

    def start(self) -> None:
        """The thread, where it is not there."""
        with self._start_lock:
            if self._thread is None:
                self._closing = threading.Event()
                self._thread = threading.Thread(
                    target=self._run_worker, name="firstcause-client", daemon=True
                )
                self._thread.start()
                _close_at_exit()

    def _run_worker(self) -> None:
        # Nothing that is reported on this thread is: it would be about the reporting.
        self._reporting.on = True
        self._create_worker().run()

    def _create_worker(self) -> Worker:
        with _IMPORT_LOCK:
            # Only here: an application that reports nothing pays for no HTTP, JSON and gzip.
            from firstcause.client.worker import Worker
        self._worker = Worker(self.settings, self._queue, self.losses, self.new_id, self._closing)
        return self._worker

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was reported before is with the daemon; False where it is not by then."""
        if self._thread is None and self._queue.empty():
            return True
        self.start()
        flushed = threading.Event()
        self._queue.put(flushed)
        return flushed.wait(self.settings.timeout if timeout is None else timeout)

    def close(self, timeout: float | None = None) -> None:
        """Send what is queued; the rest goes to disk. A later report starts a new worker."""
        with self._start_lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._queue.put(None)
        thread.join(self.settings.exit_within if timeout is None else timeout)
        if self._worker is not None:
            self._worker.abandon()

    def reset_after_fork(self) -> None:
        """In a forked child: what waits is the parent's, who still has it."""
        self._reset_state()


_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()
_IMPORT_LOCK = threading.Lock()
"""Held while modules are loaded on the thread; a child that is forked in the midst could never load them."""

_registered = {"exit": False}


def close_all() -> None:
    for client in list(_CLIENTS):
        client.close()


def _close_at_exit() -> None:
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        # Children of multiprocessing end without atexit.
        util.Finalize(None, close_all, exitpriority=1)
    elif not _registered["exit"]:
        _registered["exit"] = True
        atexit.register(close_all)


def _reset_in_child() -> None:
    _IMPORT_LOCK.release()
    spool = sys.modules.get("firstcause.client.spool")
    if spool is not None:
        spool.forget_locks()
    for client in list(_CLIENTS):
        client.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_IMPORT_LOCK.acquire, after_in_parent=_IMPORT_LOCK.release, after_in_child=_reset_in_child
    )
