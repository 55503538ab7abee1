"""Reports uncaught exceptions: of the program, of a thread, in an asyncio loop."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from firstcause.client.api import client

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType


def install(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Report uncaught exceptions, then call the hooks that were there before. A second call changes nothing.

    loop: an asyncio loop to watch, else the one that is running, if any; so call it within the main
    coroutine too.
    """
    if not isinstance(sys.excepthook, _ProgramHook):
        sys.excepthook = _ProgramHook(sys.excepthook)
    if not isinstance(threading.excepthook, _ThreadHook):
        threading.excepthook = _ThreadHook(threading.excepthook)
    loop = loop or _find_running_loop()
    if loop is not None and not isinstance(loop.get_exception_handler(), _LoopHandler):
        loop.set_exception_handler(_LoopHandler(loop.get_exception_handler()))


def _find_running_loop() -> asyncio.AbstractEventLoop | None:
    asyncio_module = sys.modules.get("asyncio")
    if asyncio_module is None:
        return None
    try:
        running_loop: asyncio.AbstractEventLoop = asyncio_module.get_running_loop()
    except RuntimeError:
        return None
    return running_loop


class _ProgramHook:
    def __init__(self, previous: Callable[..., Any]) -> None:
        self._previous = previous

    def __call__(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            client().report(error, once=True, details={"caught_by": "sys.excepthook"})
        self._previous(kind, error, traceback)


class _ThreadHook:
    def __init__(self, previous: Callable[..., Any]) -> None:
        self._previous = previous

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, Exception):
            thread = args.thread.name if args.thread is not None else "unknown"
            client().report(
                args.exc_value, once=True, details={"caught_by": "threading.excepthook", "thread": thread}
            )
        self._previous(args)


class _LoopHandler:
    def __init__(self, previous: Callable[..., Any] | None) -> None:
        self._previous = previous

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        message = str(context.get("message") or "asyncio reports an error")
        if isinstance(error, Exception):
            client().report(error, once=True, details={"caught_by": "asyncio", "asyncio": message})
        elif error is None:
            client().report(message=message, details={"caught_by": "asyncio"})
        if self._previous is not None:
            self._previous(loop, context)
        else:
            loop.default_exception_handler(context)
