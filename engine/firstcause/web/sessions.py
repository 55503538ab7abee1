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

COOKIE = "firstcause"
NAME_COOKIE = "firstcause_name"
NOBODY = "web"
"""Who acts where nobody gave a name."""

TRIES = 5
"""Wrong passwords that one address may give within WITHIN seconds."""

WITHIN = 300.0
_SESSIONS = 1000
_ADDRESSES = 1000
_LONGEST_NAME = 60
_LONGEST_ID = 64
_YEAR = 365 * 86400


@dataclass(frozen=True)
class Visitor:
    """One browser. csrf: the mark that its forms carry. fresh: it has no cookie of ours yet."""

    id: str
    csrf: str
    name: str
    signed_in: bool
    fresh: bool


class Door:
    """token, password: what opens it, the password as its argon2 hash; with neither it stands open.

    lasts: seconds that a session lives.
    """

    def __init__(
        self,
        token: str | None,
        password: str | None,
        lasts: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._password = password
        self._lasts = lasts
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._verifying = threading.Lock()

    @property
    def locked(self) -> bool:
        return self._token is not None or self._password is not None

    def visitor(self, cookie: str) -> Visitor:
        """cookie: the header, empty where there is none."""
        values = _values(cookie)
        known = values.get(COOKIE, "")[:_LONGEST_ID]
        name = unquote(values.get(NAME_COOKIE, ""))[:_LONGEST_NAME].strip()
        session = self._session(known)
        number = known or secrets.token_urlsafe(24)
        given = (session or name) or NOBODY
        return Visitor(number, self._mark(number), given, session is not None, fresh=not known)

    def _session(self, number: str) -> str | None:
        """The name of who has it, None where there is no such session, or it is over."""
        with self._lock:
            name, until = self._sessions.get(number, (None, 0.0))
            if name is not None and until < self._clock():
                del self._sessions[number]
                return None
            return name

    def _mark(self, number: str) -> str:
        return hmac.new(self._key, number.encode(), hashlib.sha256).hexdigest()[:40]

    def is_ours(self, visitor: Visitor, mark: str) -> bool:
        """Whether a form or call came from a page that this browser got from us."""
        return not visitor.fresh and hmac.compare_digest(visitor.csrf.encode(), mark.encode())

    def sign_in(self, secret: str, name: str, address: str) -> str:
        """The number of a new session. IntakeError for a wrong secret, or after too many of them."""
        self._wait(address)
        if not self._fits(secret):
            self._failed(address)
            msg = "that is not the password"
            raise IntakeError(msg, 403)
        number = secrets.token_urlsafe(32)
        with self._lock:
            self._failures.pop(address, None)
            self._sessions[number] = (name[:_LONGEST_NAME].strip() or NOBODY, self._clock() + self._lasts)
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return number

    def sign_out(self, number: str) -> None:
        with self._lock:
            self._sessions.pop(number, None)

    def _wait(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            recent = [at for at in self._failures.get(address, ()) if now - at < WITHIN]
            if len(recent) >= TRIES:
                msg = f"too many wrong passwords; try again in {WITHIN - (now - recent[0]):.0f} s"
                raise IntakeError(msg, 429)

    def _failed(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            recent = [at for at in self._failures.pop(address, ()) if now - at < WITHIN]
            self._failures[address] = [*recent, now]
            while len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)

    def _fits(self, secret: str) -> bool:
        if self._token is not None and hmac.compare_digest(secret.encode(), self._token.encode()):
            return True
        if self._password is None:
            return False
        # Imported here: only a daemon with a password needs it.
        from argon2 import PasswordHasher  # noqa: PLC0415
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

        try:
            # One at a time: each takes memory and a processor, which is what makes guessing dear.
            with self._verifying:
                return PasswordHasher().verify(self._password, secret)
        except (VerificationError, InvalidHashError):
            return False

    def cookies(self, answer: Response, number: str, *, secure: bool) -> None:
        """Give the browser its number."""
        answer.set_cookie(
            COOKIE, number, max_age=int(self._lasts), httponly=True, samesite="strict", secure=secure
        )


def remember_name(answer: Response, name: str, *, secure: bool) -> None:
    """How whoever sits there wants to be called; it is only shown, and opens nothing."""
    value = quote(name.strip()[:_LONGEST_NAME])
    answer.set_cookie(NAME_COOKIE, value, max_age=_YEAR, httponly=True, samesite="strict", secure=secure)


def hashed(password: str) -> str:
    """The argon2id hash that `[web] password_file` holds."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher().hash(password)


def _values(cookie: str) -> dict[str, str]:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(cookie)
    except CookieError:
        return {}
    return {name: each.value for name, each in found.items()}
