"""Tells browsers that something changed. Browsers then load what they show, so a slow one delays nobody."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log = logging.getLogger("firstcause.web")

POLL_INTERVAL_S = 1.0
"""Seconds between queries for changes, however many browsers are connected."""

MAX_FULL_RATE_BROWSERS = 20
"""Browsers from which on the looks become rarer, so that many cost no more than so many."""

CHANGED_EVENT = "changed"
_MAX_TOKEN_LENGTH = 64

router = APIRouter()


class ChangeStream:
    """Looks for all browsers at once, and only while there are any. pulse: another text after a change."""

    def __init__(self, read_token: Callable[[], str], interval_s: float = POLL_INTERVAL_S) -> None:
        self._read_token = read_token
        self._interval_s = interval_s
        self._current_token: str | None = None
        self._watcher_count = 0
        self._poll_task: asyncio.Task[None] | None = None
        self._change_event = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._notify_watchers()
        if self._poll_task is not None:
            self._poll_task.cancel()

    async def watch(self, last_token: str) -> AsyncIterator[str]:
        """The newest pulse, whenever it is another than the one seen last."""
        self._watcher_count += 1
        try:
            while not self._closed:
                if self._poll_task is None or self._poll_task.done():
                    self._poll_task = asyncio.create_task(self._poll_changes())
                change_event = self._change_event
                if self._current_token not in {None, last_token}:
                    last_token = str(self._current_token)
                    yield last_token
                else:
                    await change_event.wait()
        finally:
            self._watcher_count -= 1

    async def _poll_changes(self) -> None:
        while self._watcher_count and not self._closed:
            try:
                token = await run_in_threadpool(self._read_token)
            except FirstcauseError as error:
                log.warning("page updates failed: %s", error)
            else:
                if token != self._current_token:
                    self._current_token = token
                    self._notify_watchers()
            await asyncio.sleep(self._interval_s * max(1.0, self._watcher_count / MAX_FULL_RATE_BROWSERS))
        self._current_token = None

    def _notify_watchers(self) -> None:
        change_event, self._change_event = self._change_event, asyncio.Event()
        change_event.set()


@router.get("/live", include_in_schema=False, response_class=EventSourceResponse)
async def stream_changes(
    request: Request,
    seen: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """seen: the pulse of the page as it was drawn; a browser that comes back says itself what it knows."""
    stream: ChangeStream = request.app.state.live
    async for token in stream.watch((last_event_id or seen)[:_MAX_TOKEN_LENGTH]):
        yield ServerSentEvent(event=CHANGED_EVENT, data=token, id=token)
