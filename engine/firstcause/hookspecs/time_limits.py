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

_NEXT_ADDRESS_DELAY_S = 0.25
"""After which the next address is tried beside those that have not answered; RFC 8305 recommends it."""


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


def open_socket(host: str, port: int, seconds: float) -> socket.socket:
    """Connect to a host, and return a socket whose reads and writes have the same time limit.

    If the host has several addresses, they are tried side by side, and the first that answers is used: one
    that swallows does not use up the time (RFC 8305, "happy eyeballs").
    TimeoutError: no address answered in time. OSError: all refused, or there is no such host.
    """
    try:
        connected = run_with_time_limit(lambda: _connect_fastest(host, port), seconds)
    except TimeoutError:
        raise TimeoutError(f"no address of {host} answers within {seconds:g} s") from None
    except ConnectionError as error:
        # asyncio puts a text of its own in place of the operating system's.
        raise OSError(error.errno, os.strerror(error.errno or 0)) from error
    connected.settimeout(seconds)
    return connected


async def _connect_fastest(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_connection(
        _UnreadConnection, host, port, happy_eyeballs_delay=_NEXT_ADDRESS_DELAY_S
    )
    # A second descriptor of the same connection, which stays open when the loop closes its own.
    connection = transport.get_extra_info("socket")
    own = socket.socket(connection.family, connection.type, fileno=os.dup(connection.fileno()))
    transport.abort()
    return own


class _UnreadConnection(asyncio.Protocol):
    """Reads nothing, so that the new owner of the socket gets all that the server says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.pause_reading()  # type: ignore[attr-defined]


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
