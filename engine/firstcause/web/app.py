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
from firstcause.views.views import Views
from firstcause.web import api, ingest, metrics, pages
from firstcause.web import live_updates as live
from firstcause.web.access_control import API_PREFIXES, AccessMiddleware
from firstcause.web.dependencies import utc_now
from firstcause.web.live_updates import ChangeStream
from firstcause.web.login import Login, PasswordChecker
from firstcause.web.openapi import defer_schema
from firstcause.web.pages.api_docs import SCHEMA_PATH
from firstcause.web.pages.rendering import STATIC_DIR, Assets, render_error_page
from firstcause.web.sessions import SessionManager

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.app.application import Application
    from firstcause.views.rule_test_job import RuleTestJob

log = logging.getLogger("firstcause.web")

_AWAY_RETRY_AFTER_S = 3
"""Seconds after which callers may ask again where the store is away."""

_ERROR_STATUSES = ((NotFoundError, 404), (StoreError, 503))


class WebApplication:
    """All that is served, as an ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        change_stream: ChangeStream,
        rule_test_job: RuleTestJob,
        checker: PasswordChecker,
    ) -> None:
        self._app = app
        self._change_stream = change_stream
        self._rule_test_job = rule_test_job
        self._checker = checker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def close(self) -> None:
        """End the streams of browsers, which else stay for as long as the server lets them."""
        self._change_stream.close()

    def stop_jobs(self) -> None:
        """End what runs in the background for the page. This may take as long as one rule test."""
        self._rule_test_job.stop()
        self._checker.close()


def create_app(application: Application) -> WebApplication:
    """The web application, with the intake formats of plugins.

    ConfigError where the settings would open it to the network without a token or a password.
    """
    token, web = application.settings.web_token, application.settings.web
    requires_login = token is not None or web.password is not None
    sessions = SessionManager(web.session, requires_login=requires_login)
    checker = PasswordChecker(token, web.password)
    if not requires_login and not _is_loopback(web.host):
        msg = (
            f"[web] host {web.host} can be reached from outside, so a token is needed, or a password: "
            "set [web] token_file or password_file (`firstcause web password` writes one), "
            "or host to 127.0.0.1"
        )
        raise ConfigError(msg)
    app = FastAPI(title="firstcause", docs_url=None, redoc_url=None, openapi_url=SCHEMA_PATH)
    app.state.application = application
    app.state.views = views = Views(application)
    ingest_middleware = ingest.IngestMiddleware(
        app, application.intake, application.settings, application.plugins.formats()
    )
    for router in (api.router, metrics.router, live.router, pages.router):
        app.include_router(router)
    app.openapi = defer_schema(app.openapi, ingest_middleware.openapi_paths)  # type: ignore[method-assign]
    app.mount("/static", Assets(directory=STATIC_DIR))
    app.state.door = sessions
    app.state.login = Login(
        sessions,
        checker,
        lambda actor, action, about: application.record_audit(utc_now(), actor, action, about),
    )
    app.state.live = change_stream = ChangeStream(views.change_token)
    app.add_exception_handler(Exception, _handle_unexpected_error)
    app.add_exception_handler(FirstcauseError, _handle_known_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    access_middleware = AccessMiddleware(
        ingest_middleware,
        token,
        sessions,
        lambda path: ingest_middleware.find_endpoint(path) is not None,
        loopback=_is_loopback(web.host),
        hosts=tuple(web.hosts),
    )
    return WebApplication(access_middleware, change_stream, views.rule_test_job, checker)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _error_response(request: Request, status: int, text: str) -> Response:
    """Return an error as a page to browsers, else as JSON."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(API_PREFIXES):
        return render_error_page(request, status, text)
    return JSONResponse({"error": text}, status)


def _handle_known_error(request: Request, error: Exception) -> Response:
    if isinstance(error, IntakeError):
        response = _error_response(request, error.status, str(error))
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(math.ceil(error.retry_after))
        return response
    status = next((status for kind, status in _ERROR_STATUSES if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error)
    response = _error_response(request, status, str(error))
    if isinstance(error, StoreError):
        response.headers["Retry-After"] = str(_AWAY_RETRY_AFTER_S)
    return response


def _handle_validation_error(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in errors)
    return _error_response(request, 422, text or "Malformed request.")


def _handle_http_exception(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else "error"
    response = _error_response(request, status, text)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error_response(request, 500, "Internal error; see the firstcause log.")
