"""The web application: who may ask, and how errors are answered. What can be asked is in api.py."""

from __future__ import annotations

import ipaddress
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from firstcause.errors import BusyError, ConfigError, FirstcauseError, IntakeError, NotFoundError, StoreError
from firstcause.web import api, page, takes
from firstcause.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from firstcause.config import Settings
    from firstcause.hookspecs.types import IntakeFormat
    from firstcause.web.backend import Backend

log = logging.getLogger("firstcause.web")

_STATUS = ((NotFoundError, 404), (StoreError, 503), (BusyError, 503))
_LATER = "1"
"""Seconds after which a sender whom we could not serve may try again."""


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
    app.state.limits = settings.intake
    app.include_router(takes.router(forms))
    app.include_router(api.router)
    app.include_router(page.router)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(FirstcauseError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Guard, token=token, loopback=_is_loopback(settings.web.host))
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
        return _answer(error.status, str(error))
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error)
    answer = _answer(status, str(error))
    if isinstance(error, BusyError):
        answer.headers["Retry-After"] = _LATER
    return answer


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
