"""Signing in: checks the password within limits, begins a session, and leaves a trace of both."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from firstcause.core.sanitize import single_line
from firstcause.errors import IntakeError, StoreError
from firstcause.web.login_limits import LoginLimits, find_network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from firstcause.web.sessions import SessionManager

log = logging.getLogger("firstcause.web")

UNKNOWN_ACTOR = "unknown"
"""Who acts in the audit log where a wrong password was given."""

MAX_CHECKS = 20
"""Passwords that wait for their check at a time; as many again of browsers that have signed in before."""

MAX_AUDITED_FAILURES = 10
"""Entries of wrong passwords in the audit log within a minute; the log has all."""

_BUSY_RETRY_AFTER_S = 2.0
_AUDIT_WINDOW_S = 60.0
_MAX_NAME_LENGTH = 60


@dataclass(frozen=True)
class SignedIn:
    """session_id: of the session that began. browser: what the browser is known by from now on."""

    session_id: str
    browser: str


class PasswordChecker:
    """Checks passwords in one thread of its own: each check takes memory and a processor on purpose."""

    def __init__(self, token: str | None, password_hash: str | None) -> None:
        self._token = token
        self._password_hash = password_hash
        self._executor = ThreadPoolExecutor(1, "login")
        self._waiting = {True: 0, False: 0}
        self._browser_key = hashlib.sha256(f"browser {token} {password_hash}".encode()).digest()

    async def check(self, secret: str, *, known_browser: bool) -> bool:
        """Whether it is the token or the password. IntakeError 503 where too many wait."""
        if self._token is not None and hmac.compare_digest(secret.encode(), self._token.encode()):
            return True
        if self._password_hash is None:
            return False
        if self._waiting[known_browser] >= MAX_CHECKS:
            msg = "too many people sign in at once; try again in a moment"
            raise IntakeError(msg, 503, retry_after=_BUSY_RETRY_AFTER_S)
        self._waiting[known_browser] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, _verify_password, self._password_hash, secret)
        finally:
            self._waiting[known_browser] -= 1

    def make_browser(self) -> str:
        """Name a browser that has given the right secret. The name ends with the password or the token."""
        name = secrets.token_urlsafe(12)
        return f"{name}.{self._sign_cookie(name)}"

    def identify_browser(self, browser: str) -> str | None:
        """Return the name of a browser that has signed in before, else None."""
        name, _, signature = browser.partition(".")
        is_known = hmac.compare_digest(signature.encode(), self._sign_cookie(name).encode())
        return name if is_known else None

    def _sign_cookie(self, name: str) -> str:
        return hmac.new(self._browser_key, name.encode(), hashlib.sha256).hexdigest()[:40]

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


class Login:
    """audit: adds actor, action and object to the audit log. clock, sleep: replaced by tests."""

    def __init__(
        self,
        sessions: SessionManager,
        checker: PasswordChecker,
        audit: Callable[[str, str, str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sessions = sessions
        self._checker = checker
        self._audit = audit
        self._clock = clock
        self._sleep = sleep
        self._limits = LoginLimits()
        self._audit_window = float("-inf")
        self._audited_failures = 0

    async def sign_in(self, secret: str, name: str, address: str, browser_cookie: str) -> SignedIn:
        """Begin a session. IntakeError 403 for a wrong secret, 429 or 503 for too many attempts."""
        browser = self._checker.identify_browser(browser_cookie)
        name = single_line(name)[:_MAX_NAME_LENGTH].strip()
        turn = self._limits.plan(address, name, browser, self._clock())
        if turn.wait_s:
            await self._sleep(turn.wait_s)
        if not await self._checker.check(secret, known_browser=browser is not None):
            await self._record_failure(name, address, turn.number)
            msg = "Wrong password."
            raise IntakeError(msg, 403)
        self._limits.forget(address, name, browser)
        session_id, actor = self._sessions.begin_session(name)
        await self._record_audit(actor, "signed in", f"the page, from {single_line(address)}")
        return SignedIn(session_id, browser_cookie if browser is not None else self._checker.make_browser())

    async def sign_out(self, session_id: str, address: str) -> None:
        """End a session."""
        actor = self._sessions.end_session(session_id)
        if actor is not None:
            await self._record_audit(actor, "signed out", f"the page, from {single_line(address)}")

    async def _record_failure(self, name: str, address: str, number: int) -> None:
        """Audit the 1st, 2nd, 4th, 8th wrong password of a network, so that guesses do not fill the store."""
        log.warning("sign-in with a wrong password from %s, name %r", single_line(address), name)
        now = self._clock()
        if now - self._audit_window > _AUDIT_WINDOW_S:
            self._audit_window, self._audited_failures = now, 0
        if number & (number - 1) or self._audited_failures >= MAX_AUDITED_FAILURES:
            return
        self._audited_failures += 1
        what = "gave a wrong password" + (f" ({number} in a row)" if number > 1 else "")
        await self._record_audit(UNKNOWN_ACTOR, what, f"the page, from {find_network(address)}")

    async def _record_audit(self, actor: str, what: str, about: str) -> None:
        if actor != UNKNOWN_ACTOR:
            log.info("%s %s: %s", actor, what, about)
        try:
            await run_in_threadpool(self._audit, actor, what, about)
        except StoreError as error:
            # People sign in to see what is wrong, also where it is the store.
            log.error("audit log: %s %s, %s: %s", actor, what, about, error)  # noqa: TRY400 - one line


def _verify_password(password_hash: str, secret: str) -> bool:
    # Imported here: only a daemon with a password needs it.
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    try:
        return PasswordHasher().verify(password_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
