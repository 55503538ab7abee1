"""The ways in: our own format and those of plugins. Each request is read, stored, and only then answered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from firstcause.intake import foreign, native
from firstcause.intake.body import decompressed, too_large
from firstcause.service import new_id
from firstcause.web.backend import Asked  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from firstcause.config import Intake
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.intake.native import Parsed

WEBHOOKS = "/api/v1/webhooks/"


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
        made.add_api_route(path, _taker(read), methods=["POST"], response_model=None)
    return made


def _taker(read: Callable[[Sent], Parsed]) -> Callable[..., Any]:
    async def take(request: Request, backend: Asked) -> JSONResponse:
        """202 once they are on disk."""
        limits: Intake = request.app.state.limits
        body = await _body(request, limits.max_request_bytes)
        headers = {**request.headers, ":path": request.url.path}
        parsed = await run_in_threadpool(_parsed, read, body, headers, limits)
        if parsed.events:
            # Masking, which submit does first, would hold up every other request.
            future = await run_in_threadpool(backend.submit, parsed.events)
            await asyncio.wrap_future(future)
        return JSONResponse(_receipt(parsed), _status(parsed))

    return take


def _parsed(
    read: Callable[[Sent], Parsed], body: bytes, headers: Mapping[str, str], limits: Intake
) -> Parsed:
    plain = decompressed(body, headers.get("content-encoding", ""), limits.max_request_bytes)
    return read(Sent(plain, headers, datetime.now(UTC), limits.max_event_bytes))


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
