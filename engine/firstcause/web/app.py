"""The web application: who may ask, and how errors are answered. What can be asked is in api.py."""

from __future__ import annotations

import ipaddress
import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from firstcause.errors import ConfigError, FirstcauseError, IntakeError, NotFoundError, StoreError
from firstcause.web import api, ingest, metrics, pages
from firstcause.web import live_updates as live
from firstcause.web.access_control import API, Guard
from firstcause.web.live_updates import Live
from firstcause.web.pages.api_docs import SCHEMA
from firstcause.web.pages.rendering import STATIC, Assets, error_page
from firstcause.web.sessions import Door

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.config import Settings
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

_STATUS = ((NotFoundError, 404), (StoreError, 503))


class Site:
    """All that is served, as an ASGI application."""

    def __init__(self, served: ASGIApp, live: Live) -> None:
        self._served = served
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._served(scope, receive, send)

    def close(self) -> None:
        """End the streams of browsers, which else stay for as long as the server lets them."""
        self._live.close()


def create_app(backend: Backend, settings: Settings, forms: Sequence[IntakeFormat] = ()) -> Site:
    """The application over a backend. forms: further ways in.

    ConfigError where it would be open to the network without a token or a password.
    """
    token, web = settings.web_token, settings.web
    door = Door(token, web.password, web.session)
    if not door.locked and not _is_loopback(web.host):
        msg = (
            f"[web] host {web.host} can be reached from outside, so a token is needed, or a password: "
            "set [web] token_file or password_file (`firstcause web password` writes one), "
            "or host to 127.0.0.1"
        )
        raise ConfigError(msg)
    app = FastAPI(title="firstcause", docs_url=None, redoc_url=None, openapi_url=SCHEMA)
    app.state.backend = backend
    ways = ingest.Ways(app, backend, settings, forms)
    for router in (api.router, metrics.router, live.router, pages.router):
        app.include_router(router)
    app.openapi()["paths"] |= ways.described
    app.mount("/static", Assets(directory=STATIC))
    app.state.door = door
    app.state.live = streams = Live(backend.views.pulse)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(FirstcauseError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    guard = Guard(
        ways,
        token,
        door,
        lambda path: ways.at(path) is not None,
        loopback=_is_loopback(web.host),
        hosts=tuple(web.hosts),
    )
    return Site(guard, streams)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _answer(request: Request, status: int, text: str) -> Response:
    """As JSON, and to whoever looks at the page as a page."""
    page_wanted = "text/html" in request.headers.get("accept", "")
    if page_wanted and not request.url.path.startswith(API):
        return error_page(request, status, text)
    return JSONResponse({"error": text}, status)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, IntakeError):
        answer = _answer(request, error.status, str(error))
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(math.ceil(error.retry_after))
        return answer
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error)
    return _answer(request, status, str(error))


def _malformed(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in found)
    return _answer(request, 422, text or "the request is malformed")


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else "error"
    answer = _answer(request, status, text)
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(request, 500, "firstcause made a mistake; its log says which")
