"""What nobody catches: at the end of the program, of a thread, in an asyncio loop."""

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
    """Report what nobody catches, before whatever else is done about it. Calling it again changes nothing.

    loop: an asyncio loop to watch, else the one that is running, if any; so call it within the main
    coroutine too.
    """
    if not isinstance(sys.excepthook, _Program):
        sys.excepthook = _Program(sys.excepthook)
    if not isinstance(threading.excepthook, _Thread):
        threading.excepthook = _Thread(threading.excepthook)
    loop = loop or _running()
    if loop is not None and not isinstance(loop.get_exception_handler(), _Loop):
        loop.set_exception_handler(_Loop(loop.get_exception_handler()))


def _running() -> asyncio.AbstractEventLoop | None:
    found = sys.modules.get("asyncio")
    if found is None:
        return None
    try:
        running: asyncio.AbstractEventLoop = found.get_running_loop()
    except RuntimeError:
        return None
    return running


class _Program:
    def __init__(self, before: Callable[..., Any]) -> None:
        self._before = before

    def __call__(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if isinstance(error, Exception):
            client().report(error, once=True, details={"caught_by": "sys.excepthook"})
        self._before(kind, error, where)


class _Thread:
    def __init__(self, before: Callable[..., Any]) -> None:
        self._before = before

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, Exception):
            thread = args.thread.name if args.thread is not None else "unknown"
            client().report(
                args.exc_value, once=True, details={"caught_by": "threading.excepthook", "thread": thread}
            )
        self._before(args)


class _Loop:
    def __init__(self, before: Callable[..., Any] | None) -> None:
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        said = str(context.get("message") or "asyncio reports an error")
        if isinstance(error, Exception):
            client().report(error, once=True, details={"caught_by": "asyncio", "asyncio": said})
        elif error is None:
            client().report(message=said, details={"caught_by": "asyncio"})
        if self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)
