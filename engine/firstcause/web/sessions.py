"""Who may look and act: sessions of browsers, the password or token that begins one, and marks on forms."""

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

from firstcause.errors import IntakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

SESSION_COOKIE = "firstcause"
NAME_COOKIE = "firstcause_name"
ANONYMOUS_ACTOR = "web"
"""Who acts where nobody gave a name."""

MAX_ATTEMPTS = 5
"""Wrong passwords that one address may give within WITHIN seconds."""

ATTEMPT_WINDOW_S = 300.0
_MAX_SESSIONS = 1000
_MAX_ADDRESSES = 1000
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
    """token, password: what opens it, the password as its argon2 hash; with neither it stands open.

    lasts: seconds that a session lives.
    """

    def __init__(
        self,
        token: str | None,
        password: str | None,
        lifetime_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._password = password
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._csrf_key = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._verify_lock = threading.Lock()

    @property
    def requires_login(self) -> bool:
        return self._token is not None or self._password is not None

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

    def sign_in(self, secret: str, name: str, address: str) -> str:
        """The number of a new session. IntakeError for a wrong secret, or after too many of them."""
        self._check_attempts(address)
        if not self._verify_secret(secret):
            self._record_failure(address)
            msg = "Wrong password."
            raise IntakeError(msg, 403)
        session_id = secrets.token_urlsafe(32)
        with self._lock:
            self._failures.pop(address, None)
            self._sessions[session_id] = (
                name[:_MAX_NAME_LENGTH].strip() or ANONYMOUS_ACTOR,
                self._clock() + self._lifetime_s,
            )
            while len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return session_id

    def sign_out(self, session_id: str) -> None:
        with self._lock:
            self._sessions.pop(session_id, None)

    def _check_attempts(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            recent = [
                failed_at
                for failed_at in self._failures.get(address, ())
                if now - failed_at < ATTEMPT_WINDOW_S
            ]
            if len(recent) >= MAX_ATTEMPTS:
                msg = f"too many wrong passwords; try again in {ATTEMPT_WINDOW_S - (now - recent[0]):.0f} s"
                raise IntakeError(msg, 429)

    def _record_failure(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            recent = [
                failed_at
                for failed_at in self._failures.pop(address, ())
                if now - failed_at < ATTEMPT_WINDOW_S
            ]
            self._failures[address] = [*recent, now]
            while len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)

    def _verify_secret(self, secret: str) -> bool:
        if self._token is not None and hmac.compare_digest(secret.encode(), self._token.encode()):
            return True
        if self._password is None:
            return False
        # Imported here: only a daemon with a password needs it.
        from argon2 import PasswordHasher  # noqa: PLC0415
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

        try:
            # One at a time: each takes memory and a processor, which is what makes guessing dear.
            with self._verify_lock:
                return PasswordHasher().verify(self._password, secret)
        except (VerificationError, InvalidHashError):
            return False

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
