"""The ways in: our own format and those of plugins. Each request is read, stored, and only then answered."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import randint
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from firstcause.errors import FirstcauseError, IntakeError
from firstcause.hookspecs.types import IntakeOutcome, IntakeResult
from firstcause.intake import native_format
from firstcause.intake.decompression import decompress, decompress_start
from firstcause.intake.event_intake import generate_id
from firstcause.intake.native_packing import pack_native
from firstcause.web.ingest_auth import IngestAuthenticator, Sender, allowed_origin, check_origin
from firstcause.web.openapi import RECEIPT_REFERENCE
from firstcause.web.request_bodies import MAX_BODIES_BYTES, BodyBudget, FormBodyMiddleware

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Future

    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.config import Settings
    from firstcause.hookspecs.types import IntakeFormat, IntakeResponse
    from firstcause.intake.event_intake import EventIntake
    from firstcause.intake.event_packer import PackedRequest

log = logging.getLogger("firstcause.web")

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

WEBHOOK_PREFIX = "/api/v1/webhooks/"
NATIVE_FORMAT = "native"
_UNAUTHORIZED, _UNAVAILABLE = 401, 503
_RECEIPT_RESPONSE = {
    "202": {
        "description": "number of accepted events, and each rejected event with its index and error",
        "content": {"application/json": {"schema": RECEIPT_REFERENCE}},
    }
}
_CUSTOM_RESPONSE = {
    "2XX": {
        "description": "what senders of this format expect",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_NOT_ALLOWED = 405
_PREFLIGHT_MAX_AGE_S = "86400"


_MAX_INLINE_BYTES = 64 * 1024
"""Bytes of a request that are looked through without leaving the loop that serves all."""


TOKEN_BYTES = 64 * 1024
"""Bytes of a body, as sent and unpacked, in which a format looks for a token."""

_LARGE_BYTES = 1 << 20
_LARGE_LANES, _SMALL_LANES = 3, 24
_LARGE_LANES_OF_FORMAT, _SMALL_LANES_OF_FORMAT = 2, 8
_LARGE_LANES_OF_A_SOURCE, _SMALL_LANES_OF_A_SOURCE = 2, 12
_AWAY_RETRY_AFTER_S = (1, 3)
"""Seconds after which senders retry where the store is away: between these, so that not all come at once."""


class ReadingLanes:
    """Threads that read bodies: none of the pool of the pages, and few for those that take much memory.

    One source uses a part of them only, so that a flood by one does not delay the requests of others.
    """

    def __init__(self) -> None:
        self._large = anyio.CapacityLimiter(_LARGE_LANES)
        self._small = anyio.CapacityLimiter(_SMALL_LANES)
        self._shares: dict[tuple[str, bool], asyncio.Semaphore] = {}
        self._users: Counter[tuple[str, bool]] = Counter()

    async def run(
        self, source: str, size: int, read: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """Call in a thread. source: who sends. size: bytes of the body as sent."""
        is_large = size > _LARGE_BYTES
        async with self._take_share((source, is_large)):
            limiter = self._large if is_large else self._small
            return await anyio.to_thread.run_sync(read, *arguments, limiter=limiter)

    @asynccontextmanager
    async def _take_share(self, key: tuple[str, bool]) -> AsyncIterator[None]:
        share = self._shares.get(key)
        if share is None:
            lanes = _LARGE_LANES_OF_A_SOURCE if key[1] else _SMALL_LANES_OF_A_SOURCE
            share = self._shares[key] = asyncio.Semaphore(lanes)
        self._users[key] += 1
        try:
            async with share:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._shares[key]


class FormatLanes:
    """The share of the threads that one format may take, so that one that hangs leaves some to the others."""

    def __init__(self, lanes: ReadingLanes) -> None:
        self._lanes = lanes
        self._large = anyio.Semaphore(_LARGE_LANES_OF_FORMAT)
        self._small = anyio.Semaphore(_SMALL_LANES_OF_FORMAT)

    async def run(
        self, source: str, size: int, read: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """Call in a thread. source: who sends. size: bytes of the body as sent."""
        async with self._large if size > _LARGE_BYTES else self._small:
            return await self._lanes.run(source, size, read, *arguments)


class CompletionNotifier:
    """Wakes the loop that serves all once for whatever was stored together.

    `asyncio.wrap_future` would for each, and at each the thread that stores would wait for its turn to run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._completed: deque[asyncio.Future[None]] = deque()
        self._wake_scheduled = False

    async def wait(self, stored: Future[None]) -> None:
        """Until it is on disk; raises what kept it from there."""
        waiter = self.loop.create_future()
        stored.add_done_callback(lambda _: self._schedule_wake(waiter))
        await waiter
        stored.result()

    def _schedule_wake(self, waiter: asyncio.Future[None]) -> None:
        """By the thread that stored it."""
        self._completed.append(waiter)
        if not self._wake_scheduled:
            self._wake_scheduled = True
            # A loop that has ended has nobody who waits.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._resolve_waiters)

    def _resolve_waiters(self) -> None:
        # First, so that what is added from now on rings again.
        self._wake_scheduled = False
        while self._completed:
            waiter = self._completed.popleft()
            if not waiter.done():
                waiter.set_result(None)


class ParsedRequest(NamedTuple):
    """A parsed request: its answer once it is stored, and its items other than events.

    refused: the HTTP status of each event that is not taken. stored: None where there is nothing to store.
    """

    outcome: IntakeOutcome
    stored: Future[None] | None
    rejected_statuses: tuple[int, ...] = ()
    intake_result: IntakeResult = IntakeResult()


def _get_client(scope: Scope) -> str:
    """The address that a request comes from; "local" where it has none."""
    return scope["client"][0] if scope.get("client") else "local"


@dataclass(frozen=True)
class IngestEndpoint:
    """One way in. form: the plugin's, None for our own. paths: where it is served.

    stored: returns once it is, see `Bell.wait`. bodies: what all ways in may hold in memory. lanes: where
    bodies are read, so many at a time.
    """

    name: str
    intake_format: IntakeFormat | None
    paths: tuple[str, ...]
    authenticator: IngestAuthenticator
    settings: Settings
    intake: EventIntake
    wait_until_stored: Callable[[Future[None]], Awaitable[None]]
    bodies: BodyBudget
    lanes: ReadingLanes | FormatLanes

    @property
    def methods(self) -> tuple[str, ...]:
        return self.intake_format.methods if self.intake_format is not None else ("POST",)

    async def handle_request(self, scope: Scope, receive: Receive) -> Response | None:
        """None where the sender has gone."""
        headers = _decode_headers(scope)
        if scope["method"] == "OPTIONS" and self.intake_format is not None and self.intake_format.origins:
            return self._preflight_response(headers)
        if scope["method"] not in self.methods:
            names = ", ".join(self.methods)
            return JSONResponse(
                {"error": f"Method not allowed. Send errors by {names}."}, _NOT_ALLOWED, {"Allow": names}
            )
        try:
            outcome = await self._process_request(headers, scope, receive)
        except FirstcauseError as error:
            outcome = _error_outcome(error)
            self.intake.metrics.record_rejected(self.name, outcome.status)
        if outcome is None:
            return None
        custom = None
        if self.intake_format is not None and self.intake_format.answer is not None:
            # A plugin is asked, which may take long.
            custom = await self.lanes.run(_get_client(scope), 0, self.intake_format.answer, outcome, headers)
        return self._build_response(outcome, headers, custom)

    def _preflight_response(self, headers: Mapping[str, str]) -> Response:
        """What a browser asks before it lets another site's page send."""
        origin = allowed_origin(self.intake_format, headers)
        if origin is None:
            return JSONResponse({"error": "Pages of this origin may not send errors here."}, 403)
        requested_headers = headers.get("access-control-request-headers", "content-type")
        return Response(
            headers={
                "Access-Control-Allow-Methods": ", ".join(self.methods),
                "Access-Control-Allow-Headers": requested_headers,
                "Access-Control-Max-Age": _PREFLIGHT_MAX_AGE_S,
            }
            | _cors_headers(origin)
        )

    async def _process_request(
        self, headers: Mapping[str, str], scope: Scope, receive: Receive
    ) -> IntakeOutcome | None:
        """Returns once it is on disk."""
        client = _get_client(scope)
        check_origin(self.intake_format, headers)
        with self.bodies.open_body(client, receive, self.settings.intake.max_request_bytes) as reader:
            sender = await self._identify_sender(headers, client)
            if sender is None:
                start = await reader.read_start(TOKEN_BYTES)
                sender = await self.lanes.run(client, len(start), self._find_sender, start, headers, client)
            self.authenticator.admit(sender)
            body = await reader.read()
            if body is None:
                return None
            request = None
            if len(body) <= _MAX_INLINE_BYTES and "content-encoding" not in headers:
                request = self._submit_verbatim(body, headers, sender)
            if request is None:
                # Reading and masking would hold up every other request.
                request = await self.lanes.run(
                    sender.name, len(body), self._read_request, body, headers, sender
                )
            del body
            if request.stored is not None:
                await self.wait_until_stored(request.stored)
        self.intake.metrics.record_accepted(
            self.name,
            request.outcome.accepted,
            request.intake_result.ignored,
            request.intake_result.dropped_by_sender,
        )
        for status in request.rejected_statuses:
            self.intake.metrics.record_rejected(self.name, status)
        return request.outcome

    async def _identify_sender(self, headers: Mapping[str, str], client: str) -> Sender | None:
        """Who sends, by the headers; None where the body may hold the token."""
        arguments = self.intake_format, None, headers, client
        if self.authenticator.asks_format(self.intake_format, headers):
            # A plugin is asked, which may take long.
            return await self.lanes.run(client, 0, self.authenticator.identify_sender, *arguments)
        return self.authenticator.identify_sender(*arguments)

    def _submit_verbatim(
        self, body: bytes, headers: Mapping[str, str], sender: Sender
    ) -> ParsedRequest | None:
        """A request in our own format of which nothing need be changed; None where it is none."""
        if self.intake_format is not None or sender.overrides:
            return None
        if len(body) > self.settings.intake.max_event_bytes:
            return None
        by_line = native_format.is_line_type(headers.get("content-type", "").lower())
        payload = self.intake.pack_verbatim(body, by_line=by_line)
        if payload is None:
            return None
        self.authenticator.spend(sender, payload.event_count)
        stored = self.intake.submit([payload])
        return ParsedRequest(IntakeOutcome(202, accepted=payload.event_count), stored)

    def _find_sender(self, start: bytes, headers: Mapping[str, str], client: str) -> Sender:
        """Who sends, by the start of a body whose token only the body may hold."""
        plain = decompress_start(start, headers.get("content-encoding", ""), TOKEN_BYTES)
        sender = self.authenticator.identify_sender(self.intake_format, plain, headers, client)
        if sender is None:
            raise IntakeError("Missing token.", _UNAUTHORIZED)
        return sender

    def _read_request(self, body: bytes, headers: Mapping[str, str], sender: Sender) -> ParsedRequest:
        plain = decompress(body, headers.get("content-encoding", ""), self.settings.intake.max_request_bytes)
        if (request := self._submit_verbatim(plain, headers, sender)) is not None:
            return request
        packed, intake_result = self._pack_events(plain, headers, sender)
        self.authenticator.spend(sender, len(packed.ids))
        stored = self.intake.submit(packed.payloads) if packed.payloads else None
        return ParsedRequest(
            _build_outcome(packed),
            stored,
            tuple(rejection.status for rejection in packed.rejected),
            intake_result,
        )

    def _pack_events(
        self, body: bytes, headers: Mapping[str, str], sender: Sender
    ) -> tuple[PackedRequest, IntakeResult]:
        now, limit = datetime.now(UTC), self.settings.intake.max_event_bytes
        packer = self.intake.create_packer(now, limit, sender.overrides)
        if self.intake_format is None:
            content_type = headers.get("content-type", "").lower()
            pack_native(packer, body, content_type, now=now, new_id=generate_id, max_event_bytes=limit)
            return packer.finish(), IntakeResult()
        result = self.intake_format.parse(body, headers)
        intake_result = result if isinstance(result, IntakeResult) else IntakeResult(result)
        packer.add_plugin_events(intake_result)
        return packer.finish(), intake_result

    def _build_response(
        self, outcome: IntakeOutcome, headers: Mapping[str, str], custom: IntakeResponse | None
    ) -> Response:
        if custom is None:
            response: Response = JSONResponse(_build_receipt(outcome), outcome.status)
        elif isinstance(custom.body, bytes):
            response = Response(custom.body, custom.status)
        else:
            response = JSONResponse(dict(custom.body), custom.status)
        response.headers.update(custom.headers if custom is not None else {})
        if outcome.retry_after is not None and "Retry-After" not in response.headers:
            response.headers["Retry-After"] = str(math.ceil(outcome.retry_after))
        if outcome.status == _UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Bearer, Basic realm="firstcause"'
        response.headers.update(_cors_headers(allowed_origin(self.intake_format, headers)))
        return response


class IngestMiddleware:
    """All ways in. Of two formats with the same path the first has it.

    They stand before the application, as what that does for each call is most of what a small one costs.
    app: serves all else.
    """

    def __init__(
        self, app: ASGIApp, intake: EventIntake, settings: Settings, formats: Sequence[IntakeFormat]
    ) -> None:
        bodies = BodyBudget(max(MAX_BODIES_BYTES, 4 * settings.intake.max_request_bytes))
        self._app = FormBodyMiddleware(app, bodies)
        self._notifier: CompletionNotifier | None = None
        lanes = ReadingLanes()
        shared = IngestAuthenticator(settings), settings, intake, self._wait_until_stored, bodies
        self._by_path: dict[str, IngestEndpoint] = {}
        self._by_pattern: list[tuple[re.Pattern[str], IngestEndpoint]] = []
        self.openapi_paths: dict[str, Any] = {}
        """What OpenAPI says of them by path."""
        self._add_endpoint(IngestEndpoint(NATIVE_FORMAT, None, ("/api/v1/events",), *shared, lanes))
        for intake_format in formats:
            self._add_endpoint(
                IngestEndpoint(
                    intake_format.path,
                    intake_format,
                    (WEBHOOK_PREFIX + intake_format.path, *intake_format.extra_paths),
                    *shared,
                    FormatLanes(lanes),
                )
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.find_endpoint(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await endpoint.handle_request(scope, receive)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            response = JSONResponse({"error": "Internal error; see the firstcause log."}, 500)
        if response is not None:
            await response(scope, receive, send)

    async def _wait_until_stored(self, stored: Future[None]) -> None:
        loop = asyncio.get_running_loop()
        if self._notifier is None or self._notifier.loop is not loop:
            self._notifier = CompletionNotifier(loop)
        await self._notifier.wait(stored)

    def find_endpoint(self, path: str) -> IngestEndpoint | None:
        """The way in that is served there, with or without a slash at its end."""
        endpoint = self._by_path.get(path) or self._by_path.get(path.rstrip("/"))
        if endpoint is not None:
            return endpoint
        plain_path = path.rstrip("/")
        return next((candidate for pattern, candidate in self._by_pattern if pattern.match(plain_path)), None)

    def _add_endpoint(self, endpoint: IngestEndpoint) -> None:
        for path in endpoint.paths:
            if path in self.openapi_paths:
                log.warning(
                    "path %s is used by two intake formats; %s is not served there", path, endpoint.name
                )
                continue
            description = _describe_endpoint(endpoint)
            self.openapi_paths[path] = {method.lower(): description for method in endpoint.methods}
            if "{" in path:
                self._by_pattern.append((compile_path(path.rstrip("/"))[0], endpoint))
            else:
                self._by_path[path.rstrip("/")] = endpoint


def _describe_endpoint(endpoint: IngestEndpoint) -> dict[str, Any]:
    """Describe an operation as OpenAPI does."""
    text = f"Report errors in the {endpoint.name} format. Answered when they are on disk."
    if endpoint.intake_format is None:
        text = "Report errors: one event, a list, or one a line. Answered when they are on disk."
    is_custom = endpoint.intake_format is not None and endpoint.intake_format.answer is not None
    return {"description": text, "responses": _CUSTOM_RESPONSE if is_custom else _RECEIPT_RESPONSE}


def _error_outcome(error: FirstcauseError) -> IntakeOutcome:
    if isinstance(error, IntakeError):
        return IntakeOutcome(error.status, error=str(error), retry_after=error.retry_after)
    log.error("%s", error)
    return IntakeOutcome(_UNAVAILABLE, error=str(error), retry_after=randint(*_AWAY_RETRY_AFTER_S))  # noqa: S311 - no secret


def _build_outcome(packed: PackedRequest) -> IntakeOutcome:
    rejected = tuple((rejection.index, rejection.error) for rejection in packed.rejected)
    if rejected and not packed.ids:
        return IntakeOutcome(packed.rejected[0].status, rejected=rejected, error=rejected[0][1])
    return IntakeOutcome(202, accepted=len(packed.ids), ids=tuple(packed.ids), rejected=rejected)


def _build_receipt(outcome: IntakeOutcome) -> dict[str, Any]:
    if outcome.error is not None and not outcome.rejected:
        return {"error": outcome.error}
    rejected = [{"index": index, "error": error} for index, error in outcome.rejected]
    receipt: dict[str, Any] = {"accepted": outcome.accepted, "rejected": rejected}
    return receipt | ({"error": outcome.error} if outcome.error is not None else {})


def _cors_headers(origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {"Access-Control-Allow-Origin": origin} | ({} if origin == "*" else {"Vary": "Origin"})


def _decode_headers(scope: Scope) -> dict[str, str]:
    """Of two with the same name the first, as everywhere."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    return headers | {":path": scope["path"], ":query": scope["query_string"].decode("latin-1")}
