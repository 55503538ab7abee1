"""Calls the code of plugins for a limited time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MAX_DESCRIPTION_LENGTH = 500
_MAX_IDLE_THREADS = 8


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
        """Call the function, in the thread that makes the call."""
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
    """
    call = _Call(function, name)
    threading.Thread(target=call.run, name=name, daemon=True).start()
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
            threading.Thread(target=self._make_calls, args=(calls,), name="plugin calls", daemon=True).start()
        calls.put(call)
        return call.wait(timeout)

    def _make_calls(self, calls: queue.SimpleQueue[_Call[Any]]) -> None:
        while True:
            # Nothing of the last call stays while the next is waited for.
            calls.get().run()
            if len(self._idle) >= _MAX_IDLE_THREADS:
                return
            self._idle.append(calls)


def describe_error(error: BaseException) -> str:
    """Describe an error on one line of at most 500 characters. Never raises, whatever its __str__ does."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return kind
    return f"{kind}: {text}"[:_MAX_DESCRIPTION_LENGTH] if text else kind
