"""Who may send errors, from where, and how much. The ways in ask it; all else is the guard's."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from firstcause.core.sanitize import single_line
from firstcause.errors import IntakeError
from firstcause.intake.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause.config import Settings
    from firstcause.hookspecs.types import IntakeFormat

log = logging.getLogger("firstcause.web")

ANY_ORIGIN = "*"

_MAX_REFUSED_ORIGINS = 100
_MAX_ORIGIN_LENGTH = 200
_refused_origins: set[tuple[str, str]] = set()
"""Formats and origins that were refused since the start: each is said once."""


@dataclass(frozen=True)
class Sender:
    """A source, by the name of its token or by its address. service, tenant: what its events are then of."""

    name: str
    service: str | None = None
    tenant: str | None = None

    @property
    def overrides(self) -> dict[str, str]:
        """What holds against what its events say."""
        values = {"service": self.service, "tenant": self.tenant}
        return {name: value for name, value in values.items() if value is not None}


class IngestAuthenticator:
    """Tokens, origins and rates of the ways in. IntakeError 401, 403 or 429 for whom it keeps out."""

    def __init__(self, settings: Settings) -> None:
        intake = settings.intake
        self._senders = [
            (source.token.get_secret_value().encode(), Sender(f"token {name}", source.service, source.tenant))
            for name, source in intake.tokens.items()
        ]
        if settings.web_token is not None:
            self._senders.append((settings.web_token.encode(), Sender("token of [web]")))
        # Who locks the page means that not everybody may send.
        self._allows_anonymous = not self._senders and settings.web.password is None
        self._rate_limiter = RateLimiter(intake.rate, intake.burst)

    def asks_format(self, intake_format: IntakeFormat | None, headers: Mapping[str, str]) -> bool:
        """Whether `identify_sender` calls the format's `token`."""
        return (
            not self._allows_anonymous
            and intake_format is not None
            and intake_format.token is not None
            and _extract_token(headers.get("authorization", "")) is None
        )

    def identify_sender(
        self, intake_format: IntakeFormat | None, body: bytes | None, headers: Mapping[str, str], client: str
    ) -> Sender | None:
        """Who sends. body: None before it is read; None is then the answer where it may hold the token."""
        if self._allows_anonymous:
            return Sender(client)
        token = _extract_token(headers.get("authorization", ""))
        if self.asks_format(intake_format, headers) and intake_format is not None and intake_format.token:
            token = intake_format.token(body or b"", headers)
            if token is None and body is None:
                return None
        if token is None:
            msg = (
                "Missing token. Send `Authorization: Bearer TOKEN`, "
                "or put it in the URL: https://any:TOKEN@host/..."
            )
            raise IntakeError(msg, 401)
        token_bytes = token.encode()
        matches = [sender for secret, sender in self._senders if hmac.compare_digest(secret, token_bytes)]
        if not matches:
            raise IntakeError("Unknown token: it is neither in [intake.tokens] nor in [web] token_file.", 403)
        return matches[0]

    def admit(self, sender: Sender) -> None:
        """IntakeError 429 where it has sent too much."""
        wait = self._rate_limiter.admit(sender.name)
        if wait > 0:
            msg = f"{sender.name} exceeds [intake] rate; retry in {wait:.0f} s"
            raise IntakeError(msg, 429, retry_after=wait)

    def spend(self, sender: Sender, events: int) -> None:
        """It sent so many in a request, of which one was counted when it was let in."""
        if events > 1:
            self._rate_limiter.spend(sender.name, events - 1)


def check_origin(intake_format: IntakeFormat | None, headers: Mapping[str, str]) -> None:
    """IntakeError 403 for a page of another site that may not send here."""
    origin = headers.get("origin")
    if origin is None:
        # A browser names no origin for an image or a link, which is enough for formats that take GET.
        same_site = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    else:
        same_site = urlsplit(origin).netloc == headers.get("host", "")
    if not same_site and allowed_origin(intake_format, headers) is None:
        _report_refused_origin(intake_format, origin)
        msg = "Cross-site request refused: Origin differs from Host and is not one of the format's `origins`."
        raise IntakeError(msg, 403)


def _report_refused_origin(intake_format: IntakeFormat | None, origin: str | None) -> None:
    """Say once for each origin that its pages were refused, and how to let them send."""
    if intake_format is None or origin is None:
        return
    seen = (intake_format.path, origin)
    if seen in _refused_origins or len(_refused_origins) >= _MAX_REFUSED_ORIGINS:
        return
    _refused_origins.add(seen)
    log.warning(
        "a page of %s sent errors in the format %s and was refused; if it is yours, add the origin to "
        "`origins` of the plugin",
        single_line(origin[:_MAX_ORIGIN_LENGTH]),
        intake_format.path,
    )


def allowed_origin(intake_format: IntakeFormat | None, headers: Mapping[str, str]) -> str | None:
    """What the page that asks may be told of, None where it may not."""
    origins = intake_format.origins if intake_format is not None else ()
    if ANY_ORIGIN in origins:
        return ANY_ORIGIN
    origin = headers.get("origin")
    return origin if origin in origins else None


def _extract_token(authorization: str) -> str | None:
    """The token of Bearer, or the password of Basic, which is what a URL with one becomes."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
