"""Who may ask: not a page of another site in a user's browser, and where there is a token, who has it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = frozenset({"/healthz", "/readyz"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses before anything is read. token: what API calls must bring, None for none.

    is_way_in: paths where errors are sent, of which the gate decides who may.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, is_way_in: Callable[[str], bool], *, loopback: bool
    ) -> None:
        self._app = app
        self._token = token
        self._is_way_in = is_way_in
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._loopback and _name(host) not in _LOCAL:
            # A name of the attacker's that leads here (DNS rebinding) would make us the same site.
            return _refused(403, "the Host header is not this machine's own name; use 127.0.0.1 or localhost")
        if self._is_way_in(scope["path"]):
            return None
        origin = headers.get("origin")
        if scope["method"] not in _READS and origin is not None and urlsplit(origin).netloc != host:
            return _refused(403, "another site's page may not do this (Origin differs from Host)")
        if self._token is not None and scope["path"] not in _OPEN and not self._has_token(headers):
            answer = _refused(401, "bring the token of [web] token_file: Authorization: Bearer TOKEN")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected)


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _refused(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)
