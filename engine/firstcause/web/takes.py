"""The ways in: our own format and those of plugins. Each request is read, stored, and only then answered."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.routing import compile_path

from firstcause.errors import FirstcauseError, IntakeError
from firstcause.hookspecs.types import Outcome, Taken
from firstcause.intake import foreign, native
from firstcause.intake.body import decompressed, too_large
from firstcause.service import new_id
from firstcause.web.backend import Asked  # noqa: TC001 - FastAPI reads the annotations
from firstcause.web.gate import Gate, Sender, allowed_origin, check_origin

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from firstcause.config import Settings
    from firstcause.core.model import Event
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.intake.native import Parsed
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

WEBHOOKS = "/api/v1/webhooks/"
NATIVE = "native"
_NO_TOKEN, _UNAVAILABLE = 401, 503
_PREFLIGHT = {"Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "86400"}


class Read(NamedTuple):
    """A request, read: what of it are events, and what it had besides."""

    sender: Sender
    parsed: Parsed
    besides: Taken = Taken()


@dataclass(frozen=True)
class Way:
    """One way in. form: the plugin's, None for our own. paths: where it is served."""

    name: str
    form: IntakeFormat | None
    paths: tuple[str, ...]
    gate: Gate
    settings: Settings

    async def take(self, request: Request, backend: Backend) -> Response:
        """Answered once it is on disk; else with why it is not."""
        headers = {**request.headers, ":path": request.url.path, ":query": request.url.query}
        client = request.client.host if request.client is not None else "local"
        try:
            outcome = await self._outcome(request, headers, client, backend)
        except FirstcauseError as error:
            outcome = _failed(error)
            backend.counts.refused(self.name, outcome.status)
        return self._answered(outcome, headers)

    async def preflight(self, request: Request) -> Response:
        """What a browser asks before it lets another site's page send."""
        origin = allowed_origin(self.form, request.headers)
        if origin is None:
            return JSONResponse({"error": "pages of this site may not send here"}, 403)
        asked = request.headers.get("access-control-request-headers", "content-type")
        return Response(headers=_PREFLIGHT | {"Access-Control-Allow-Headers": asked} | _told(origin))

    async def _outcome(
        self, request: Request, headers: Mapping[str, str], client: str, backend: Backend
    ) -> Outcome:
        check_origin(self.form, headers)
        sender = self.gate.sender(self.form, None, headers, client)
        if sender is not None:
            self.gate.admit(sender)
        body = await _body(request, self.settings.intake.max_request_bytes)
        read = await run_in_threadpool(self._read, body, headers, client, sender)
        parsed = read.parsed
        self.gate.spend(read.sender, len(parsed.events))
        if parsed.events:
            # Masking, which submit does first, would hold up every other request.
            future = await run_in_threadpool(backend.submit, parsed.events)
            await asyncio.wrap_future(future)
        backend.counts.took(self.name, len(parsed.events), read.besides.passed, read.besides.lost)
        for each in parsed.rejected:
            backend.counts.refused(self.name, each.status)
        return _done(parsed)

    def _read(self, body: bytes, headers: Mapping[str, str], client: str, sender: Sender | None) -> Read:
        limits = self.settings.intake
        now = datetime.now(UTC)
        plain = decompressed(body, headers.get("content-encoding", ""), limits.max_request_bytes)
        if sender is None:
            sender = self.gate.sender(self.form, plain, headers, client)
            if sender is None:
                raise IntakeError("the request brings no token", _NO_TOKEN)
            self.gate.admit(sender)
        if self.form is None:
            read = Read(sender, self._native(plain, headers, now))
        else:
            given = self.form.parse(plain, headers)
            besides = given if isinstance(given, Taken) else Taken(given)
            parsed = foreign.taken(besides.events, now=now, max_event_bytes=limits.max_event_bytes)
            read = Read(sender, parsed, besides)
        read.parsed.events[:] = _of(sender, read.parsed.events)
        return read

    def _native(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Parsed:
        return native.parse(
            body,
            headers.get("content-type", "").lower(),
            now=now,
            new_id=new_id,
            max_event_bytes=self.settings.intake.max_event_bytes,
        )

    def _answered(self, outcome: Outcome, headers: Mapping[str, str]) -> Response:
        own = self.form.answer(outcome, headers) if self.form is not None and self.form.answer else None
        if own is None:
            answer: Response = JSONResponse(_receipt(outcome), outcome.status)
        elif isinstance(own.body, bytes):
            answer = Response(own.body, own.status)
        else:
            answer = JSONResponse(dict(own.body), own.status)
        answer.headers.update(own.headers if own is not None else {})
        if outcome.retry_after is not None:
            answer.headers["Retry-After"] = str(math.ceil(outcome.retry_after))
        if outcome.status == _NO_TOKEN:
            answer.headers["WWW-Authenticate"] = 'Bearer, Basic realm="firstcause"'
        answer.headers.update(_told(allowed_origin(self.form, headers)))
        return answer


class Ways:
    """All ways in. Of two formats with the same path the first has it."""

    def __init__(self, forms: Sequence[IntakeFormat], settings: Settings) -> None:
        gate = Gate(settings)
        self.router = APIRouter()
        self._patterns: list[re.Pattern[str]] = []
        self._served: set[str] = set()
        self._add(Way(NATIVE, None, ("/api/v1/events",), gate, settings))
        for form in forms:
            self._add(Way(form.path, form, (WEBHOOKS + form.path, *form.also), gate, settings))

    def has(self, path: str) -> bool:
        """Whether it is one of them: who may send there is then the gate's business."""
        return path in self._served or any(each.match(path) for each in self._patterns)

    def _add(self, way: Way) -> None:
        async def take(request: Request, backend: Asked) -> Response:
            return await way.take(request, backend)

        async def preflight(request: Request) -> Response:
            return await way.preflight(request)

        for path in way.paths:
            if path in self._served:
                log.warning("two ways in would be served at %s; %s is left out there", path, way.name)
                continue
            self._served.add(path)
            self._patterns += [compile_path(path)[0]] if "{" in path else []
            self.router.add_api_route(path, take, methods=["POST"], response_model=None)
            if way.form is not None and way.form.origins:
                self.router.add_api_route(path, preflight, methods=["OPTIONS"], response_model=None)


def _of(sender: Sender, events: Sequence[Event]) -> list[Event]:
    """What a token says of its source holds against what the events say."""
    known = {"service": sender.service, "tenant": sender.tenant}
    fixed = {name: value for name, value in known.items() if value is not None}
    return [each.model_copy(update=fixed) for each in events] if fixed else list(events)


def _failed(error: FirstcauseError) -> Outcome:
    if isinstance(error, IntakeError):
        return Outcome(error.status, error=str(error), retry_after=error.retry_after)
    log.error("%s", error)
    return Outcome(_UNAVAILABLE, error=str(error))


def _done(parsed: Parsed) -> Outcome:
    rejected = tuple((each.index, each.error) for each in parsed.rejected)
    if rejected and not parsed.events:
        return Outcome(parsed.rejected[0].status, rejected=rejected, error=rejected[0][1])
    ids = tuple(each.id for each in parsed.events)
    return Outcome(202, accepted=len(ids), ids=ids, rejected=rejected)


def _receipt(outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None and not outcome.rejected:
        return {"error": outcome.error}
    rejected = [{"index": index, "error": error} for index, error in outcome.rejected]
    receipt: dict[str, Any] = {"accepted": outcome.accepted, "rejected": rejected}
    return receipt | ({"error": outcome.error} if outcome.error is not None else {})


def _told(origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {"Access-Control-Allow-Origin": origin} | ({} if origin == "*" else {"Vary": "Origin"})


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)
