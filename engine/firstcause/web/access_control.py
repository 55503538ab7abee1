"""Who may ask: no page of another site in a user's browser, and where the door is locked, who has a key."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from firstcause.web.sessions import Door

LOGIN = "/login"
STATIC = "/static/"
CSRF = "x-csrf-token"
API = ("/api/", "/v1/")

_OPEN = frozenset({"/healthz", "/readyz", LOGIN})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses before anything is read. token: what API calls may bring, None for none.

    is_way_in: paths where errors are sent, of which the gate decides who may.
    hosts: names besides this machine's own under which we are reached; without any, and not on loopback,
    every name will do.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        door: Door,
        is_way_in: Callable[[str], bool],
        *,
        loopback: bool,
        hosts: Collection[str] = (),
    ) -> None:
        self._app = app
        self._token = token
        self._door = door
        self._is_way_in = is_way_in
        self._hosts = _LOCAL | {host.lower() for host in hosts} if loopback or hosts else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            # A name of the attacker's that leads here (DNS rebinding) would make us the same site.
            return _refused(
                403,
                "the Host header is not this machine's own name; use 127.0.0.1 or localhost, "
                "or add the name to [web] hosts",
            )
        if self._is_way_in(scope["path"]):
            return None
        origin = headers.get("origin")
        if scope["method"] not in _READS and origin is not None and urlsplit(origin).netloc != host:
            return _refused(403, "another site's page may not do this (Origin differs from Host)")
        if self._token is not None and self._has_token(headers):
            return None
        return self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        visitor = self._door.visitor(headers.get("cookie", ""))
        if self._door.locked and not visitor.signed_in and path not in _OPEN and not path.startswith(STATIC):
            return _to_login(scope, headers) if _is_page(path, headers) else _unknown()
        # Only a session that opens the door can be misused; without a lock there is none.
        called = visitor.signed_in and scope["method"] not in _READS and path.startswith(API)
        if called and not self._door.is_ours(visitor, headers.get(CSRF, "")):
            return _refused(403, f"a browser must bring the page's mark ({CSRF}); load the page again")
        return None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected)


def _is_page(path: str, headers: Headers) -> bool:
    return not path.startswith(API) and "text/html" in headers.get("accept", "")


def _to_login(scope: Scope, headers: Headers) -> Response:
    if "hx-request" in headers:
        answer: Response = _refused(401, "sign in again")
        answer.headers["HX-Redirect"] = LOGIN
        return answer
    path = quote(scope["path"] if scope["method"] in _READS else "/")
    return RedirectResponse(f"{LOGIN}?to={path}", 303)


def _unknown() -> Response:
    answer = _refused(401, "bring the token of [web] token_file: Authorization: Bearer TOKEN")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


@lru_cache(256)
def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _refused(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)
