"""What runs the application, where that decides when a thread may run: uWSGI, billiard, multiprocessing."""

from __future__ import annotations

import atexit
import mmap
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_registered = {"exit": False, "fork": False}


def _find_uwsgi() -> Any:
    """The module that uWSGI puts into its interpreters; None elsewhere."""
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi if hasattr(uwsgi, "worker_id") else None


def is_before_fork() -> bool:
    """Whether this is uWSGI's first process, which forks its workers without the interpreter's knowledge.

    A worker that is forked while another thread has the interpreter waits for it for ever.
    """
    uwsgi = _find_uwsgi()
    if uwsgi is None or uwsgi.worker_id() or uwsgi.mule_id():
        return False
    is_spooler = getattr(uwsgi, "i_am_the_spooler", None)
    return not (is_spooler is not None and is_spooler())


class Inheritance:
    """What waits in uWSGI's first process: its first worker takes it, once, though it may be forked again."""

    def __init__(self) -> None:
        # Shared with all processes that are forked later.
        self._is_taken = mmap.mmap(-1, 1)

    def take(self) -> bool:
        """Whether this process is the one that sends what waits."""
        uwsgi = _find_uwsgi()
        if uwsgi is None or uwsgi.worker_id() != 1 or self._is_taken[0]:
            return False
        self._is_taken[0] = 1
        return True


def call_in_workers(function: Callable[[], None]) -> None:
    """Have uWSGI call a function in each worker after the fork."""
    uwsgi = _find_uwsgi()
    if uwsgi is None or _registered["fork"]:
        return
    _registered["fork"] = True
    try:
        import uwsgidecorators
    except ImportError:
        previous = getattr(uwsgi, "post_fork_hook", None)

        def call_both() -> None:
            if previous is not None:
                previous()
            function()

        uwsgi.post_fork_hook = call_both
    else:
        uwsgidecorators.postfork(function)


def call_at_exit(function: Callable[[], None]) -> None:
    """Call a function when this process ends. Children of multiprocessing and billiard end without atexit."""
    for package in ("multiprocessing", "billiard"):
        util, process = sys.modules.get(f"{package}.util"), sys.modules.get(f"{package}.process")
        if util is not None and process is not None and process.current_process()._identity:  # noqa: SLF001
            util.Finalize(None, function, exitpriority=1)
            return
    uwsgi = _find_uwsgi()
    if _registered["exit"]:
        return
    _registered["exit"] = True
    if uwsgi is not None:
        uwsgi.atexit = _chain(getattr(uwsgi, "atexit", None), function)
    atexit.register(function)


def _chain(previous: Callable[[], None] | None, function: Callable[[], None]) -> Callable[[], None]:
    def call_both() -> None:
        if callable(previous):
            previous()
        function()

    return call_both
