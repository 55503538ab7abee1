"""Access control: refuses cross-site requests, and requests without the required token or session."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse

from firstcause.web.sessions import LOGIN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.web.sessions import SessionManager

ACTOR_KEY = "firstcause.actor"
"""Key of the scope: the name in which a signed-in browser acts. Calls with a token have none."""

STATIC_PREFIX = "/static/"
CSRF_HEADER = "x-csrf-token"
API_PREFIXES = ("/api/", "/v1/")

_PUBLIC_PATHS = frozenset({"/healthz", "/readyz", LOGIN_PATH})
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class AccessMiddleware:
    """Refuses before anything is read. token: what API calls may bring, None for none.

    is_way_in: paths where errors are sent, of which the gate decides who may.
    hosts: additional host names under which this machine is reached; without any, and not on loopback,
    every name will do.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        sessions: SessionManager,
        is_ingest_path: Callable[[str], bool],
        *,
        loopback: bool,
        hosts: Collection[str] = (),
    ) -> None:
        self._app = app
        self._token = token
        self._sessions = sessions
        self._is_ingest_path = is_ingest_path
        self._hosts = _LOOPBACK_HOSTS | {host.lower() for host in hosts} if loopback or hosts else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._check_access(scope)):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check_access(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _parse_hostname(host) not in self._hosts:
            # A name of the attacker's that leads here (DNS rebinding) would make us the same site.
            return _error_response(
                403,
                "The Host header does not name this machine. Use 127.0.0.1 or localhost, "
                "or add the name to [web] hosts.",
            )
        if self._is_ingest_path(scope["path"]):
            return None
        origin = headers.get("origin")
        if scope["method"] not in _SAFE_METHODS and origin is not None and urlsplit(origin).netloc != host:
            return _error_response(403, "Cross-site request refused: Origin differs from Host.")
        if self._token is not None and self._has_token(headers):
            return None
        return self._check_session(scope, headers)

    def _check_session(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        session = self._sessions.identify_browser(headers.get("cookie", ""))
        if session.signed_in:
            scope[ACTOR_KEY] = session.name
        if (
            self._sessions.requires_login
            and not session.signed_in
            and path not in _PUBLIC_PATHS
            and not path.startswith(STATIC_PREFIX)
        ):
            return _redirect_to_login(scope, headers) if _is_page(path, headers) else _token_required()
        # Only a session that opens the door can be misused; without a lock there is none.
        is_api_write = (
            session.signed_in and scope["method"] not in _SAFE_METHODS and path.startswith(API_PREFIXES)
        )
        if is_api_write and not self._sessions.has_valid_csrf_token(session, headers.get(CSRF_HEADER, "")):
            return _error_response(403, f"Missing or invalid CSRF token ({CSRF_HEADER}). Reload the page.")
        return None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), expected)


def _is_page(path: str, headers: Headers) -> bool:
    return not path.startswith(API_PREFIXES) and "text/html" in headers.get("accept", "")


def _redirect_to_login(scope: Scope, headers: Headers) -> Response:
    if "hx-request" in headers:
        response: Response = _error_response(401, "Session expired. Sign in again.")
        response.headers["HX-Redirect"] = LOGIN_PATH
        return response
    path = quote(scope["path"] if scope["method"] in _SAFE_METHODS else "/")
    return RedirectResponse(f"{LOGIN_PATH}?to={path}", 303)


def _token_required() -> Response:
    response = _error_response(
        401, "Missing or wrong token. Send the token of [web] token_file: Authorization: Bearer TOKEN"
    )
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


@lru_cache(256)
def _parse_hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _error_response(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)
