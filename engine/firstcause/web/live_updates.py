"""Tells browsers that something changed. They then ask for what they show, so a slow one keeps nobody."""

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

EVERY = 1.0
"""Seconds between looks, whoever watches."""

CROWD = 20
"""Browsers from which on the looks become rarer, so that many cost no more than so many."""

CHANGED = "changed"
_LONGEST = 64

router = APIRouter()


class Live:
    """Looks for all browsers at once, and only while there are any. pulse: another text after a change."""

    def __init__(self, pulse: Callable[[], str], every: float = EVERY) -> None:
        self._pulse = pulse
        self._every = every
        self._current: str | None = None
        self._watchers = 0
        self._looking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._tell()
        if self._looking is not None:
            self._looking.cancel()

    async def changes(self, seen: str) -> AsyncIterator[str]:
        """The newest pulse, whenever it is another than the one seen last."""
        self._watchers += 1
        try:
            while not self._closed:
                if self._looking is None or self._looking.done():
                    self._looking = asyncio.create_task(self._look())
                news = self._news
                if self._current not in {None, seen}:
                    seen = str(self._current)
                    yield seen
                else:
                    await news.wait()
        finally:
            self._watchers -= 1

    async def _look(self) -> None:
        while self._watchers and not self._closed:
            try:
                found = await run_in_threadpool(self._pulse)
            except FirstcauseError as error:
                log.warning("the page cannot look for news: %s", error)
            else:
                if found != self._current:
                    self._current = found
                    self._tell()
            await asyncio.sleep(self._every * max(1.0, self._watchers / CROWD))
        self._current = None

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


@router.get("/live", include_in_schema=False, response_class=EventSourceResponse)
async def live(
    request: Request,
    seen: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """seen: the pulse of the page as it was drawn; a browser that comes back says itself what it knows."""
    watching: Live = request.app.state.live
    async for pulse in watching.changes((last_event_id or seen)[:_LONGEST]):
        yield ServerSentEvent(event=CHANGED, data=pulse, id=pulse)
