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
from firstcause.web.backend import backend as backend_of
from firstcause.web.gate import Gate, Sender, allowed_origin, check_origin

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from firstcause.config import Settings
    from firstcause.core.model import Event
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.intake.native import Parsed
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

WEBHOOKS = "/api/v1/webhooks/"
NATIVE = "native"
_NO_TOKEN, _UNAVAILABLE = 401, 503
_ANSWERS = {"202": {"description": "accepted, and rejected with the index and the error of each"}}
_PREFLIGHT = {"Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "86400"}


_AT_ONCE = 64 * 1024
"""Bytes of a request that are looked through without leaving the loop that serves all."""


class Read(NamedTuple):
    """A request, read: how it is answered once it is stored, and what it had besides events.

    refused: the HTTP status of each event that is not taken. stored: None where there is nothing to store.
    """

    outcome: Outcome
    stored: Future[None] | None
    refused: tuple[int, ...] = ()
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
        read = None
        if sender is not None and len(body) <= _AT_ONCE and "content-encoding" not in headers:
            read = self._as_sent(body, headers, sender, backend)
        if read is None:
            # Reading and masking would hold up every other request.
            read = await run_in_threadpool(self._read, body, headers, client, sender, backend)
        if read.stored is not None:
            await asyncio.wrap_future(read.stored)
        backend.counts.took(self.name, read.outcome.accepted, read.besides.passed, read.besides.lost)
        for status in read.refused:
            backend.counts.refused(self.name, status)
        return read.outcome

    def _as_sent(
        self, body: bytes, headers: Mapping[str, str], sender: Sender, backend: Backend
    ) -> Read | None:
        """A request in our own format of which nothing need be changed; None where it is none."""
        kind = headers.get("content-type", "").lower()
        changed = sender.service is not None or sender.tenant is not None
        if self.form is not None or changed or "ndjson" in kind or "jsonl" in kind:
            return None
        if len(body) > self.settings.intake.max_event_bytes:
            return None
        found = backend.submit_as_sent(body)
        if found is None:
            return None
        accepted, stored = found
        self.gate.spend(sender, accepted)
        return Read(Outcome(202, accepted=accepted), stored)

    def _read(
        self, body: bytes, headers: Mapping[str, str], client: str, sender: Sender | None, backend: Backend
    ) -> Read:
        plain = decompressed(
            body, headers.get("content-encoding", ""), self.settings.intake.max_request_bytes
        )
        if sender is None:
            sender = self.gate.sender(self.form, plain, headers, client)
            if sender is None:
                raise IntakeError("the request brings no token", _NO_TOKEN)
            self.gate.admit(sender)
        if (read := self._as_sent(plain, headers, sender, backend)) is not None:
            return read
        parsed, besides = self._parsed(plain, headers)
        events = _of(sender, parsed.events)
        self.gate.spend(sender, len(events))
        stored = backend.submit(events) if events else None
        return Read(_done(parsed), stored, tuple(each.status for each in parsed.rejected), besides)

    def _parsed(self, body: bytes, headers: Mapping[str, str]) -> tuple[Parsed, Taken]:
        now = datetime.now(UTC)
        if self.form is None:
            return self._native(body, headers, now), Taken()
        given = self.form.parse(body, headers)
        besides = given if isinstance(given, Taken) else Taken(given)
        limit = self.settings.intake.max_event_bytes
        return foreign.taken(besides.events, now=now, max_event_bytes=limit), besides

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
        self.described: dict[str, Any] = {}
        """What OpenAPI says of them by path: plain routes are not in it by themselves."""
        self._add(Way(NATIVE, None, ("/api/v1/events",), gate, settings))
        for form in forms:
            self._add(Way(form.path, form, (WEBHOOKS + form.path, *form.also), gate, settings))

    def has(self, path: str) -> bool:
        """Whether it is one of them: who may send there is then the gate's business."""
        return path in self._served or any(each.match(path) for each in self._patterns)

    def _add(self, way: Way) -> None:
        async def take(request: Request) -> Response:
            return await way.take(request, backend_of(request))

        async def preflight(request: Request) -> Response:
            return await way.preflight(request)

        for path in way.paths:
            if path in self._served:
                log.warning("two ways in would be served at %s; %s is left out there", path, way.name)
                continue
            self._served.add(path)
            self._patterns += [compile_path(path)[0]] if "{" in path else []
            self.described[path] = {"post": {"description": _about(way), "responses": _ANSWERS}}
            # Plain routes: what FastAPI does besides for each call is most of what a small one costs.
            self.router.add_route(path, take, methods=["POST"])
            if way.form is not None and way.form.origins:
                self.router.add_route(path, preflight, methods=["OPTIONS"])


def _about(way: Way) -> str:
    if way.form is None:
        return "Errors: one event, a list of them, or one a line. Answered once they are on disk."
    return f"Errors as {way.name} sends them. Answered once they are on disk."


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
