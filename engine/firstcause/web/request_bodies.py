"""Reads the bodies of requests, within a budget of memory for all that are under way."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from firstcause.errors import IntakeError
from firstcause.intake.decompression import too_large_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODIES_BYTES = 128 << 20
"""Bytes of all bodies under way, without the first `FREE_BYTES` of each."""

FREE_BYTES = 64 * 1024
"""Bytes of each body that are always taken: nearly all requests are smaller, and large ones
must not hold them up."""

MAX_FORM_BYTES = 1 << 20
"""Bytes of a body that is not sent to an intake format."""

_RETRY_AFTER_S = 2.0


class BodyBudget:
    """Bytes of bodies under way. One source gets half of the total. Used by the event loop only."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._by_source: dict[str, int] = {}

    @property
    def used(self) -> int:
        return self._used

    @contextmanager
    def open_body(self, source: str, receive: Receive, limit: int) -> Iterator[BodyReader]:
        """A body whose bytes count until the block ends."""
        reader = BodyReader(self, source, receive, limit)
        try:
            yield reader
        finally:
            self._add_bytes(source, -reader.reserved)

    def reserve(self, source: str, count: int) -> None:
        """IntakeError 503 where too much is under way."""
        if self._used + count > self._total or self._by_source.get(source, 0) + count > self._total // 2:
            msg = "too many large requests are under way; retry, or send smaller ones"
            raise IntakeError(msg, 503, retry_after=_RETRY_AFTER_S)
        self._add_bytes(source, count)

    def _add_bytes(self, source: str, count: int) -> None:
        self._used += count
        own = self._by_source.get(source, 0) + count
        if own:
            self._by_source[source] = own
        else:
            self._by_source.pop(source, None)


class BodyReader:
    """One body. is_gone: its sender has left before its end."""

    def __init__(self, budget: BodyBudget, source: str, receive: Receive, limit: int) -> None:
        self._budget = budget
        self._source = source
        self._receive = receive
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_complete = False
        self.reserved = 0
        self.is_gone = False

    async def read_start(self, size: int) -> bytes:
        """Read until `size` bytes are there, or the body ends; return all that is there."""
        while self._size < size and not self._is_complete and not self.is_gone:
            await self._read_chunk()
        return b"".join(self._chunks)

    async def read(self) -> bytes | None:
        """Return the whole body, None where its sender has gone."""
        while not self._is_complete and not self.is_gone:
            await self._read_chunk()
        return None if self.is_gone else b"".join(self._chunks)

    async def _read_chunk(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = True
            return
        chunk = message.get("body", b"")
        self._size += len(chunk)
        if self._size > self._limit:
            raise too_large_error(self._limit)
        if (needed := self._size - FREE_BYTES - self.reserved) > 0:
            self._budget.reserve(self._source, needed)
            self.reserved += needed
        self._chunks.append(chunk)
        self._is_complete = not message.get("more_body", False)


class FormBodyMiddleware:
    """Reads the bodies of pages and of the API before their routes do, which know no limit."""

    def __init__(self, app: ASGIApp, budget: BodyBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        source = scope["client"][0] if scope.get("client") else "local"
        with self._budget.open_body(source, receive, MAX_FORM_BYTES) as reader:
            try:
                body = await reader.read()
            except IntakeError as error:
                await _build_refusal(error)(scope, receive, send)
                return
            if body is None:
                return
            message: Message | None = {"type": "http.request", "body": body, "more_body": False}

            async def receive_again() -> Message:
                nonlocal message
                first, message = message, None
                return first if first is not None else await receive()

            await self._app(scope, receive_again, send)


def _build_refusal(error: IntakeError) -> JSONResponse:
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after is not None else {}
    return JSONResponse({"error": str(error)}, error.status, headers)
