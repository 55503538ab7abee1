"""The client: what the application's threads put in, and the thread that takes it away."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from firstcause.client import hosting
from firstcause.client.capture import CapturedError, FlushMark, capture_error
from firstcause.client.context import get_bound_fields
from firstcause.client.loss_counter import LossCounter
from firstcause.client.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.client.exception_info import CodeLocation
    from firstcause.client.settings import Settings
    from firstcause.client.worker import Worker

_REPORTED_ATTRIBUTE = "_firstcause_reported"
_POLL_INTERVAL_S = 0.005
"""Seconds between two looks of flush() and close().

They must not wait for a lock: that of a thread that is older than gevent's patches stops all greenlets.
"""

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
        self._pid = os.getpid()
        self.losses = LossCounter()
        # Not a queue: one that is older than gevent's patches waits in C, and stops all greenlets.
        self._queue: deque[CapturedError | FlushMark] = deque()
        self._inheritance: hosting.Inheritance | None = None
        self._reporting = threading.local()
        # Reentrant: a signal's handler may report while the thread is started.
        self._start_lock = threading.RLock()
        self._wakeup = Wakeup()
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
        self._notice_fork()
        if getattr(self._reporting, "on", False):
            # A __str__ that logs an error, or the worker itself, could loop for ever.
            if threading.current_thread() is not self._thread:
                self.losses.add("reported while another was")
            return None
        self._reporting.on = True
        try:
            if error is not None and self._was_just_reported(error) and once:
                return None
            if len(self._queue) >= self.settings.queue_size:
                self.losses.add("the queue was full")
                return None
            event_id = fields["id"] = str(fields.get("id") or self.new_id())
            self._queue.append(capture_error(error, fields, get_bound_fields(), location, timestamp))
            self._rouse_worker()
        except Exception:  # noqa: BLE001 - what reports errors must not be one
            self.losses.add("could not be taken")
            return None
        else:
            return event_id
        finally:
            self._reporting.on = False

    def _rouse_worker(self) -> None:
        if self._thread is None:
            self.start()
        elif (worker := self._worker) is not None and worker.is_idle:
            self._wakeup.wake()

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
        self._notice_fork()
        if hosting.is_before_fork():
            self._wait_for_fork()
            return
        with self._start_lock:
            if self._thread is not None:
                return
            self._wakeup = Wakeup()
            self._thread = threading.Thread(target=self._run_worker, name="firstcause-client", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # At the interpreter's end, or where the system has no more threads.
                self._thread = None
                self._create_worker().abandon()
            else:
                hosting.call_at_exit(close_all)

    def _wait_for_fork(self) -> None:
        if self._inheritance is None:
            self._inheritance = hosting.Inheritance()
            hosting.call_in_workers(start_all)

    def _run_worker(self) -> None:
        # Nothing that is reported on this thread is: it would be about the reporting.
        self._reporting.on = True
        self._create_worker().run()

    def _create_worker(self) -> Worker:
        with _IMPORT_LOCK:
            # Only here: an application that reports nothing pays for no HTTP, JSON and gzip.
            from firstcause.client.worker import Worker
        self._worker = Worker(self.settings, self._queue, self.losses, self.new_id, self._wakeup)
        return self._worker

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was reported before is with the daemon; False where it is not by then."""
        if self._thread is None and not self._queue:
            return True
        self.start()
        mark = FlushMark()
        self._queue.append(mark)
        self._wakeup.wake()
        _poll(lambda: mark.is_reached, self.settings.timeout if timeout is None else timeout)
        return mark.is_reached

    def close(self, timeout: float | None = None) -> None:
        """Send what is queued; the rest goes to disk. A later report starts a new worker."""
        if self._pid != os.getpid():
            return
        with self._start_lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._wakeup.close()
        _poll(
            lambda: not thread.is_alive() or (self._worker is not None and self._worker.is_finished),
            self.settings.exit_within if timeout is None else timeout,
        )
        if self._worker is not None:
            self._worker.abandon()

    def _notice_fork(self) -> None:
        # uWSGI forks without the interpreter's knowledge.
        if self._pid != os.getpid():
            self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """In a forked child: what waits is the parent's, who still has it.

        uWSGI's first process never sends: what waits there is its first worker's.
        """
        inheritance, inherited = self._inheritance, self._queue
        self._reset_state()
        if inheritance is not None and inheritance.take():
            self._queue.extend(inherited)


def _poll(is_reached: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_reached() and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)


_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()
_IMPORT_LOCK = threading.Lock()
"""Held while modules are loaded on the thread; a child that is forked in the midst could never load them."""


def close_all() -> None:
    for client in list(_CLIENTS):
        client.close()


def start_all() -> None:
    """In a worker of uWSGI's, after its fork."""
    for client in list(_CLIENTS):
        if client.settings.url:
            client.start()


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
