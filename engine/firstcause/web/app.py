"""The web application: who may ask, and how errors are answered. What can be asked is in api.py."""

from __future__ import annotations

import ipaddress
import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from firstcause.errors import ConfigError, FirstcauseError, IntakeError, NotFoundError, StoreError
from firstcause.web import api, metrics, page, takes
from firstcause.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from firstcause.config import Settings
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

_STATUS = ((NotFoundError, 404), (StoreError, 503))


def create_app(backend: Backend, settings: Settings, forms: Sequence[IntakeFormat] = ()) -> FastAPI:
    """The application over a backend. forms: further ways in.

    ConfigError where it would be open to the network without a token.
    """
    token = settings.web_token
    if token is None and not _is_loopback(settings.web.host):
        msg = (
            f"[web] host {settings.web.host} can be reached from outside, so a token is needed: "
            "set [web] token_file to a file that holds one, or host to 127.0.0.1"
        )
        raise ConfigError(msg)
    app = FastAPI(title="firstcause", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.backend = backend
    ways = takes.Ways(forms, settings)
    for router in (ways.router, api.router, metrics.router, page.router):
        app.include_router(router)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(FirstcauseError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Guard, token=token, is_way_in=ways.has, loopback=_is_loopback(settings.web.host))
    return app


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _answer(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _refused(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, IntakeError):
        answer = _answer(error.status, str(error))
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(math.ceil(error.retry_after))
        return answer
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error)
    return _answer(status, str(error))


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in found)
    return _answer(422, text or "the request is malformed")


def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else "error"
    answer = _answer(status, text)
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(500, "firstcause made a mistake; its log says which")
