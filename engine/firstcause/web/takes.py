"""The ways in: our own format and those of plugins. Each request is read, stored, and only then answered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from firstcause.intake import foreign, native
from firstcause.intake.body import decompressed, too_large
from firstcause.service import new_id
from firstcause.web.backend import backend as backend_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from fastapi import Request

    from firstcause.config import Intake
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.intake.native import Parsed
    from firstcause.web.backend import Backend

WEBHOOKS = "/api/v1/webhooks/"

_AT_ONCE = 64 * 1024
"""Bytes of a request that are looked through without leaving the loop that serves all."""


class Sent(NamedTuple):
    """A request. body: unpacked. headers: names in lower case, `:path` besides."""

    body: bytes
    headers: Mapping[str, str]
    now: datetime
    max_event_bytes: int


def _native(sent: Sent) -> Parsed:
    return native.parse(
        sent.body,
        sent.headers.get("content-type", "").lower(),
        now=sent.now,
        new_id=new_id,
        max_event_bytes=sent.max_event_bytes,
    )


def _foreign(form: IntakeFormat, sent: Sent) -> Parsed:
    events = form.parse(sent.body, sent.headers)
    return foreign.taken(events, now=sent.now, max_event_bytes=sent.max_event_bytes)


def router(forms: Sequence[IntakeFormat]) -> APIRouter:
    """All ways in. Of two formats with the same path the first has it."""
    made = APIRouter()
    ways: dict[str, Callable[[Sent], Parsed]] = {"/api/v1/events": _native}
    for form in forms:
        for path in (WEBHOOKS + form.path, *form.also):
            ways.setdefault(path, partial(_foreign, form))
    for path, read in ways.items():
        # A plain route: what FastAPI does besides for each call is most of what a small one costs.
        made.add_route(path, _taker(read), methods=["POST"])
    return made


def _taker(read: Callable[[Sent], Parsed]) -> Callable[..., Any]:
    async def take(request: Request) -> JSONResponse:
        """202 once they are on disk."""
        limits: Intake = request.app.state.limits
        backend = backend_of(request)
        body = await _body(request, limits.max_request_bytes)
        headers = {**request.headers, ":path": request.url.path}
        taken = None
        if len(body) <= _AT_ONCE and "content-encoding" not in headers:
            taken = _as_sent(read, body, headers, limits, backend)
        if taken is None:
            # Reading and masking would hold up every other request.
            taken = await run_in_threadpool(_read, read, body, headers, limits, backend)
        receipt, status, stored = taken
        if stored is not None:
            await asyncio.wrap_future(stored)
        return JSONResponse(receipt, status)

    return take


Taken = tuple[dict[str, Any], int, "Future[None] | None"]
"""The answer, its status, and what must be done before it is given."""


def _as_sent(
    read: Callable[[Sent], Parsed], body: bytes, headers: Mapping[str, str], limits: Intake, backend: Backend
) -> Taken | None:
    """A request in our own format of which nothing need be changed; None where it is none."""
    kind = headers.get("content-type", "").lower()
    if read is not _native or len(body) > limits.max_event_bytes or "ndjson" in kind or "jsonl" in kind:
        return None
    found = backend.submit_as_sent(body)
    return None if found is None else ({"accepted": found[0], "rejected": []}, 202, found[1])


def _read(
    read: Callable[[Sent], Parsed], body: bytes, headers: Mapping[str, str], limits: Intake, backend: Backend
) -> Taken:
    plain = decompressed(body, headers.get("content-encoding", ""), limits.max_request_bytes)
    if (taken := _as_sent(read, plain, headers, limits, backend)) is not None:
        return taken
    parsed = read(Sent(plain, headers, datetime.now(UTC), limits.max_event_bytes))
    stored = backend.submit(parsed.events) if parsed.events else None
    return _receipt(parsed), _status(parsed), stored


def _receipt(parsed: Parsed) -> dict[str, Any]:
    rejected = [{"index": each.index, "error": each.error} for each in parsed.rejected]
    receipt: dict[str, Any] = {"accepted": len(parsed.events), "rejected": rejected}
    if rejected and not parsed.events:
        receipt["error"] = parsed.rejected[0].error
    return receipt


def _status(parsed: Parsed) -> int:
    return parsed.rejected[0].status if parsed.rejected and not parsed.events else 202


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)
