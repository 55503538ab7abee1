"""Who may look and act: sessions of browsers, and marks on forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

SESSION_COOKIE = "firstcause"
NAME_COOKIE = "firstcause_name"
BROWSER_COOKIE = "firstcause_browser"
LOGIN_PATH = "/login"
ANONYMOUS_ACTOR = "web"
"""Who acts where nobody gave a name."""

_MAX_SESSIONS = 1000
_MAX_NAME_LENGTH = 60
_MAX_ID_LENGTH = 64
_NAME_COOKIE_MAX_AGE_S = 365 * 86400


@dataclass(frozen=True)
class BrowserSession:
    """One browser. csrf: the mark that its forms carry. fresh: it has no cookie of ours yet."""

    id: str
    csrf_token: str
    name: str
    signed_in: bool
    is_new: bool


class SessionManager:
    """Sessions of browsers. requires_login: nothing is shown without one. lifetime_s: seconds of one."""

    def __init__(
        self, lifetime_s: float, *, requires_login: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.requires_login = requires_login
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._csrf_key = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def identify_browser(self, cookie: str) -> BrowserSession:
        """cookie: the header, empty where there is none."""
        values = _parse_cookies(cookie)
        cookie_id = values.get(SESSION_COOKIE, "")[:_MAX_ID_LENGTH]
        name = unquote(values.get(NAME_COOKIE, ""))[:_MAX_NAME_LENGTH].strip()
        session_name = self._lookup_name(cookie_id)
        session_id = cookie_id or secrets.token_urlsafe(24)
        display_name = (session_name or name) or ANONYMOUS_ACTOR
        return BrowserSession(
            session_id,
            self._compute_csrf_token(session_id),
            display_name,
            session_name is not None,
            is_new=not cookie_id,
        )

    def _lookup_name(self, session_id: str) -> str | None:
        """Return the session's user name, None if the session is unknown or has expired."""
        with self._lock:
            name, expires_at = self._sessions.get(session_id, (None, 0.0))
            if name is not None and expires_at < self._clock():
                del self._sessions[session_id]
                return None
            return name

    def _compute_csrf_token(self, session_id: str) -> str:
        return hmac.new(self._csrf_key, session_id.encode(), hashlib.sha256).hexdigest()[:40]

    def has_valid_csrf_token(self, session: BrowserSession, csrf_token: str) -> bool:
        """Whether a form or call came from a page that this browser got from us."""
        return not session.is_new and hmac.compare_digest(session.csrf_token.encode(), csrf_token.encode())

    def begin_session(self, name: str) -> tuple[str, str]:
        """Begin a session; return its id, and the name in which it acts."""
        session_id, actor = secrets.token_urlsafe(32), name[:_MAX_NAME_LENGTH].strip() or ANONYMOUS_ACTOR
        with self._lock:
            self._sessions[session_id] = (actor, self._clock() + self._lifetime_s)
            while len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return session_id, actor

    def end_session(self, session_id: str) -> str | None:
        """End a session; return its name, None where there is none."""
        with self._lock:
            name, _ = self._sessions.pop(session_id, (None, 0.0))
            return name

    def set_session_cookie(self, response: Response, session_id: str, *, secure: bool) -> None:
        """Give the browser its number."""
        response.set_cookie(
            SESSION_COOKIE,
            session_id,
            max_age=int(self._lifetime_s),
            httponly=True,
            samesite="strict",
            secure=secure,
        )


def set_browser_cookie(response: Response, browser: str, *, secure: bool) -> None:
    """Remember that this browser has signed in; it grants nothing but limits of its own at the next login."""
    response.set_cookie(
        BROWSER_COOKIE,
        browser,
        max_age=_NAME_COOKIE_MAX_AGE_S,
        path=LOGIN_PATH,
        httponly=True,
        samesite="strict",
        secure=secure,
    )


def set_name_cookie(response: Response, name: str, *, secure: bool) -> None:
    """Remember the user's name. It is only shown and grants nothing."""
    value = quote(name.strip()[:_MAX_NAME_LENGTH])
    response.set_cookie(
        NAME_COOKIE, value, max_age=_NAME_COOKIE_MAX_AGE_S, httponly=True, samesite="strict", secure=secure
    )


def hash_password(password: str) -> str:
    """The argon2id hash that `[web] password_file` holds."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher().hash(password)


def _parse_cookies(cookie: str) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(cookie)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}
