"""Calls the code of plugins for a limited time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from firstcause.plugins.plugin_thread import PluginThread
from firstcause.plugins.stdout_capture import install_stdout_capture

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MAX_DESCRIPTION_LENGTH = 500
_MAX_IDLE_THREADS = 8
IDLE_S = 1.0
"""Seconds after which a thread that has no call ends."""


class CallTimeoutError(TimeoutError):
    """The call did not return in time. A TimeoutError that the code itself raised is not one."""


class _Call(Generic[T]):
    """A call that one thread makes and another waits for."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._name = name
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Call the function, in the thread that makes the call, which is named after it for its prints."""
        threading.current_thread().name = self._name
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        self._running.release()

    def wait(self, timeout: float) -> T:
        """Wait for the result. Raises as `call_with_timeout`."""
        if not self._running.acquire(timeout=timeout):
            raise CallTimeoutError(f"{self._name} did not return within {timeout:g} s")
        error = self._error
        if isinstance(error, Exception):
            raise error
        if error is not None:
            raise RuntimeError(f"{self._name} raised {describe_error(error)}") from error
        return self._results[0]


def call_with_timeout(function: Callable[[], T], timeout: float, name: str) -> T:
    """Return the function's result. An exception that it raises is raised here; SystemExit as RuntimeError.

    timeout: seconds.
    CallTimeoutError: the function did not return in time. Its thread, which nothing can end, continues.
    What the function prints goes to the log.
    """
    call = _Call(function, name)
    install_stdout_capture()
    PluginThread(name, call.run).start()
    return call.wait(timeout)


class CallThreads:
    """Calls functions for a limited time in threads that are used again, as a new one for each costs more.

    A thread whose call hangs is busy until it returns; the next call gets another.
    """

    def __init__(self) -> None:
        self._idle: deque[queue.SimpleQueue[_Call[Any]]] = deque()

    def call(self, function: Callable[[], T], timeout: float, name: str) -> T:
        """Call as `call_with_timeout` does."""
        call = _Call(function, name)
        try:
            calls = self._idle.pop()
        except IndexError:
            calls = queue.SimpleQueue()
            install_stdout_capture()
            PluginThread("plugin calls", partial(self._make_calls, calls)).start()
        calls.put(call)
        return call.wait(timeout)

    def _make_calls(self, calls: queue.SimpleQueue[_Call[Any]]) -> None:
        while True:
            try:
                call = calls.get(timeout=IDLE_S)
            except queue.Empty:
                try:
                    self._idle.remove(calls)
                except ValueError:
                    call = calls.get()  # it was just taken from the idle ones: its call comes
                else:
                    return
            call.run()
            # Nothing of the last call stays while the next is waited for.
            del call
            if len(self._idle) >= _MAX_IDLE_THREADS:
                return
            self._idle.append(calls)


def describe_error(error: BaseException) -> str:
    """Describe an error on one line of at most 500 characters. Never raises, whatever its __str__ does."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error)[: 4 * _MAX_DESCRIPTION_LENGTH].split())
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return kind
    return _cut_at_blank(f"{kind}: {text}") if text else kind


def _cut_at_blank(text: str) -> str:
    """Cut between words where that is possible: half a secret is one that masking does not know."""
    if len(text) <= _MAX_DESCRIPTION_LENGTH:
        return text
    kept = text[:_MAX_DESCRIPTION_LENGTH]
    return kept.rpartition(" ")[0] or kept
