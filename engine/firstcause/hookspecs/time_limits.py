"""Time limits for a whole conversation, where a client library limits only each connect, read and write.

A server that sends one byte a second reaches no limit of a single read.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def run_with_time_limit(make_coroutine: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
    """Run a coroutine in an event loop of its own, and return its result.

    Not to be called from a coroutine.
    TimeoutError: it did not end in time; it is cancelled, and its connections are closed.
    """
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_DaemonThreads())
    try:
        return loop.run_until_complete(asyncio.wait_for(make_coroutine(), seconds))
    finally:
        loop.close()


class _DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread: a name server that does not answer must not hold up our exit."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised in the loop that waits for it
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=run, name="name lookup", daemon=True).start()
        return future


def describe_connection_error(error: BaseException) -> str:
    """Describe why there is no connection, in one line: the operating system's error if there is one.

    Libraries that try several addresses keep the errors of the attempts as the cause.
    """
    reason: BaseException = error
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[-1]
        if isinstance(current, OSError) and current.errno is not None:
            reason = current
        current = current.__cause__ or current.__context__
    text = _describe_os_error(reason) if isinstance(reason, OSError) else str(reason)
    kind = type(error).__name__
    return f"{kind}: {' '.join(text.split())}" if text else kind


def _describe_os_error(error: OSError) -> str:
    if isinstance(error, ssl.SSLError | socket.gaierror) or error.errno is None:
        return str(error)
    # asyncio puts a text of its own in place of the operating system's.
    return os.strerror(error.errno)
