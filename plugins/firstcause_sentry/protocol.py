"""How Sentry's SDKs authenticate, and which responses they understand."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from firstcause import IntakeError, IntakeResponse
from firstcause_sentry.envelope import parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause import IntakeOutcome

_KEY_PATTERN = re.compile(r"\bsentry_key=([^,\s]+)")
_CRON_KEY_PATTERN = re.compile(r"/cron/[^/]+/([^/]+)/?$")
_UNPRINTABLE_PATTERN = re.compile(r"[^ -~]+")
_MAX_ERROR_LENGTH = 200
_TOO_MANY_REQUESTS, _SERVICE_UNAVAILABLE = 429, 503
_EXPOSE_HEADERS = {"Access-Control-Expose-Headers": "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After"}


def envelope_key(body: bytes, headers: Mapping[str, str]) -> str | None:
    """The public key of the DSN, also where only the envelope's header has it."""
    keys = {*_iter_request_keys(headers), *_iter_dsn_keys(body)}
    return _require_single_key(keys)


def request_key(_body: bytes, headers: Mapping[str, str]) -> str | None:
    """The public key of the DSN, by the request's headers or its query."""
    return _require_single_key({*_iter_request_keys(headers)})


def cron_key(body: bytes, headers: Mapping[str, str]) -> str | None:
    """The public key of the DSN, which may be the last part of a check-in's path."""
    match = _CRON_KEY_PATTERN.search(headers.get(":path", ""))
    return match[1] if match else request_key(body, headers)


def _require_single_key(keys: set[str]) -> str | None:
    """IntakeError 403 where they differ."""
    if len(keys) > 1:
        raise IntakeError("the request brings several keys, and they differ", 403)
    return next(iter(keys), None)


def _iter_request_keys(headers: Mapping[str, str]) -> Iterator[str]:
    for name in ("x-sentry-auth", "authorization"):
        if match := _KEY_PATTERN.search(headers.get(name, "")):
            yield match[1]
    yield from parse_qs(headers.get(":query", "")).get("sentry_key", [])


def _iter_dsn_keys(body: bytes) -> Iterator[str]:
    dsn = parse_header(body).get("dsn") if body else None
    with suppress(ValueError):
        if isinstance(dsn, str) and (user := urlsplit(dsn).username):
            yield user


def build_response(outcome: IntakeOutcome, _headers: Mapping[str, str]) -> IntakeResponse:
    """Build the response: 200 with the event's id, else the reason in SDKs' header, and how long to wait."""
    if outcome.error is None:
        ids = [name.removeprefix("sentry:") for name in outcome.ids]
        rejected = [{"index": index, "error": error} for index, error in outcome.rejected]
        body = {"id": ids[0] if ids else None} | ({"rejected": rejected} if rejected else {})
        return IntakeResponse(200, body, _EXPOSE_HEADERS)
    message = _UNPRINTABLE_PATTERN.sub(" ", outcome.error)[:_MAX_ERROR_LENGTH]
    response_headers = _EXPOSE_HEADERS | {"X-Sentry-Error": message}
    status = outcome.status
    if outcome.retry_after is not None:
        # SDKs drop an event that gets a 503 and keep sending; a 429 makes them wait.
        status = _TOO_MANY_REQUESTS if status == _SERVICE_UNAVAILABLE else status
        response_headers["X-Sentry-Rate-Limits"] = (
            f"{math.ceil(outcome.retry_after)}::organization:firstcause"
        )
    return IntakeResponse(status, {"detail": outcome.error, "error": outcome.error}, response_headers)
