"""The ways in: our own format and those of plugins. Each request is read, stored, and only then answered."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from firstcause.app.application import new_id
from firstcause.errors import FirstcauseError, IntakeError
from firstcause.hookspecs.types import Outcome, Taken
from firstcause.intake import native_format, plugin_events
from firstcause.intake.decompression import decompressed, too_large
from firstcause.web.ingest_auth import Gate, Sender, allowed_origin, check_origin

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Future

    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.config import Settings
    from firstcause.core.model import Event
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.intake.native_format import Parsed
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

WEBHOOKS = "/api/v1/webhooks/"
NATIVE = "native"
_NO_TOKEN, _UNAVAILABLE = 401, 503
_ANSWERS = {"202": {"description": "accepted, and rejected with the index and the error of each"}}
_NOT_ALLOWED = 405
_PREFLIGHT = {"Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "86400"}


_AT_ONCE = 64 * 1024
"""Bytes of a request that are looked through without leaving the loop that serves all."""


class Bell:
    """Wakes the loop that serves all once for whatever was stored together.

    `asyncio.wrap_future` would for each, and at each the thread that stores would wait for its turn to run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._over: deque[asyncio.Future[None]] = deque()
        self._rung = False

    async def wait(self, stored: Future[None]) -> None:
        """Until it is on disk; raises what kept it from there."""
        waiter = self.loop.create_future()
        stored.add_done_callback(lambda _: self._ring(waiter))
        await waiter
        stored.result()

    def _ring(self, waiter: asyncio.Future[None]) -> None:
        """By the thread that stored it."""
        self._over.append(waiter)
        if not self._rung:
            self._rung = True
            # A loop that has ended has nobody who waits.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._heard)

    def _heard(self) -> None:
        # First, so that what is added from now on rings again.
        self._rung = False
        while self._over:
            waiter = self._over.popleft()
            if not waiter.done():
                waiter.set_result(None)


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
    """One way in. form: the plugin's, None for our own. paths: where it is served.

    stored: returns once it is, see `Bell.wait`.
    """

    name: str
    form: IntakeFormat | None
    paths: tuple[str, ...]
    gate: Gate
    settings: Settings
    backend: Backend
    stored: Callable[[Future[None]], Awaitable[None]]

    async def answer(self, scope: Scope, receive: Receive) -> Response | None:
        """None where the sender has gone."""
        headers = _headers(scope)
        if scope["method"] == "OPTIONS" and self.form is not None and self.form.origins:
            return self._preflight(headers)
        if scope["method"] != "POST":
            return JSONResponse({"error": "send errors by POST"}, _NOT_ALLOWED, {"Allow": "POST"})
        try:
            outcome = await self._outcome(headers, scope, receive)
        except FirstcauseError as error:
            outcome = _failed(error)
            self.backend.counts.refused(self.name, outcome.status)
        return self._answered(outcome, headers) if outcome is not None else None

    def _preflight(self, headers: Mapping[str, str]) -> Response:
        """What a browser asks before it lets another site's page send."""
        origin = allowed_origin(self.form, headers)
        if origin is None:
            return JSONResponse({"error": "pages of this site may not send here"}, 403)
        asked = headers.get("access-control-request-headers", "content-type")
        return Response(headers=_PREFLIGHT | {"Access-Control-Allow-Headers": asked} | _told(origin))

    async def _outcome(self, headers: Mapping[str, str], scope: Scope, receive: Receive) -> Outcome | None:
        """Returns once it is on disk."""
        client = scope["client"][0] if scope.get("client") else "local"
        check_origin(self.form, headers)
        sender = self.gate.sender(self.form, None, headers, client)
        if sender is not None:
            self.gate.admit(sender)
        body = await _body(receive, self.settings.intake.max_request_bytes)
        if body is None:
            return None
        read = None
        if sender is not None and len(body) <= _AT_ONCE and "content-encoding" not in headers:
            read = self._as_sent(body, headers, sender)
        if read is None:
            # Reading and masking would hold up every other request.
            read = await run_in_threadpool(self._read, body, headers, client, sender)
        if read.stored is not None:
            await self.stored(read.stored)
        self.backend.counts.took(self.name, read.outcome.accepted, read.besides.passed, read.besides.lost)
        for status in read.refused:
            self.backend.counts.refused(self.name, status)
        return read.outcome

    def _as_sent(self, body: bytes, headers: Mapping[str, str], sender: Sender) -> Read | None:
        """A request in our own format of which nothing need be changed; None where it is none."""
        kind = headers.get("content-type", "").lower()
        changed = sender.service is not None or sender.tenant is not None
        if self.form is not None or changed or "ndjson" in kind or "jsonl" in kind:
            return None
        if len(body) > self.settings.intake.max_event_bytes:
            return None
        found = self.backend.submit_as_sent(body)
        if found is None:
            return None
        accepted, stored = found
        self.gate.spend(sender, accepted)
        return Read(Outcome(202, accepted=accepted), stored)

    def _read(self, body: bytes, headers: Mapping[str, str], client: str, sender: Sender | None) -> Read:
        plain = decompressed(
            body, headers.get("content-encoding", ""), self.settings.intake.max_request_bytes
        )
        if sender is None:
            sender = self.gate.sender(self.form, plain, headers, client)
            if sender is None:
                raise IntakeError("the request brings no token", _NO_TOKEN)
            self.gate.admit(sender)
        if (read := self._as_sent(plain, headers, sender)) is not None:
            return read
        parsed, besides = self._parsed(plain, headers)
        events = _of(sender, parsed.events)
        self.gate.spend(sender, len(events))
        stored = self.backend.submit(events) if events else None
        return Read(_done(parsed), stored, tuple(each.status for each in parsed.rejected), besides)

    def _parsed(self, body: bytes, headers: Mapping[str, str]) -> tuple[Parsed, Taken]:
        now = datetime.now(UTC)
        if self.form is None:
            return self._native(body, headers, now), Taken()
        given = self.form.parse(body, headers)
        besides = given if isinstance(given, Taken) else Taken(given)
        limit = self.settings.intake.max_event_bytes
        return plugin_events.taken(besides.events, now=now, max_event_bytes=limit), besides

    def _native(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Parsed:
        return native_format.parse(
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
    """All ways in. Of two formats with the same path the first has it.

    They stand before the application, as what that does for each call is most of what a small one costs.
    app: serves all else.
    """

    def __init__(
        self, app: ASGIApp, backend: Backend, settings: Settings, forms: Sequence[IntakeFormat]
    ) -> None:
        self._app = app
        self._bell: Bell | None = None
        given = (Gate(settings), settings, backend, self._stored)
        self._by_path: dict[str, Way] = {}
        self._by_pattern: list[tuple[re.Pattern[str], Way]] = []
        self.described: dict[str, Any] = {}
        """What OpenAPI says of them by path."""
        self._add(Way(NATIVE, None, ("/api/v1/events",), *given))
        for form in forms:
            self._add(Way(form.path, form, (WEBHOOKS + form.path, *form.also), *given))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = self.at(scope["path"]) if scope["type"] == "http" else None
        if way is None:
            await self._app(scope, receive, send)
            return
        try:
            answer = await way.answer(scope, receive)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            answer = JSONResponse({"error": "firstcause made a mistake; its log says which"}, 500)
        if answer is not None:
            await answer(scope, receive, send)

    async def _stored(self, stored: Future[None]) -> None:
        loop = asyncio.get_running_loop()
        if self._bell is None or self._bell.loop is not loop:
            self._bell = Bell(loop)
        await self._bell.wait(stored)

    def at(self, path: str) -> Way | None:
        """The way in that is served there, with or without a slash at its end."""
        way = self._by_path.get(path) or self._by_path.get(path.rstrip("/"))
        if way is not None:
            return way
        return next((each for pattern, each in self._by_pattern if pattern.match(path)), None)

    def _add(self, way: Way) -> None:
        for path in way.paths:
            if path in self.described:
                log.warning("two ways in would be served at %s; %s is left out there", path, way.name)
                continue
            self.described[path] = {"post": {"description": _about(way), "responses": _ANSWERS}}
            if "{" in path:
                self._by_pattern.append((compile_path(path)[0], way))
            else:
                self._by_path[path.rstrip("/")] = way


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


def _headers(scope: Scope) -> dict[str, str]:
    """Of two with the same name the first, as everywhere."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    return headers | {":path": scope["path"], ":query": scope["query_string"].decode("latin-1")}


async def _body(receive: Receive, limit: int) -> bytes | None:
    """None where the sender has gone before the end of it."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return b"".join(chunks)
