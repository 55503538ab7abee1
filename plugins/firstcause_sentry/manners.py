"""How Sentry's SDKs say who they are, and what answers they understand."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from firstcause import Answer, IntakeError
from firstcause_sentry.envelope import header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firstcause import Outcome

_KEY = re.compile(r"\bsentry_key=([^,\s]+)")
_UNPRINTABLE = re.compile(r"[^ -~]+")
_LONGEST = 200
_LIMITED, _UNAVAILABLE = 429, 503
_EXPOSED = {"Access-Control-Expose-Headers": "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After"}


def key_of_envelope(body: bytes, headers: Mapping[str, str]) -> str | None:
    """The public key of the DSN, also where only the envelope's header has it."""
    keys = {*_keys(headers), *_of_dsn(body)}
    return _the_only(keys)


def key(_body: bytes, headers: Mapping[str, str]) -> str | None:
    """The public key of the DSN, by the request's headers or its query."""
    return _the_only({*_keys(headers)})


def _the_only(keys: set[str]) -> str | None:
    """IntakeError 403 where they differ."""
    if len(keys) > 1:
        raise IntakeError("the request brings several keys, and they differ", 403)
    return next(iter(keys), None)


def _keys(headers: Mapping[str, str]) -> Iterator[str]:
    for name in ("x-sentry-auth", "authorization"):
        if found := _KEY.search(headers.get(name, "")):
            yield found[1]
    yield from parse_qs(headers.get(":query", "")).get("sentry_key", [])


def _of_dsn(body: bytes) -> Iterator[str]:
    dsn = header(body).get("dsn") if body else None
    with suppress(ValueError):
        if isinstance(dsn, str) and (user := urlsplit(dsn).username):
            yield user


def answer(outcome: Outcome, _headers: Mapping[str, str]) -> Answer:
    """200 with the event's id; else the reason where SDKs look for it, and for how long to be quiet."""
    if outcome.error is None:
        ids = [name.removeprefix("sentry:") for name in outcome.ids]
        return Answer(200, {"id": ids[0] if ids else None}, _EXPOSED)
    said = _UNPRINTABLE.sub(" ", outcome.error)[:_LONGEST]
    told = _EXPOSED | {"X-Sentry-Error": said}
    status = outcome.status
    if outcome.retry_after is not None:
        # They drop what a 503 refuses and go on as before; a 429 makes them wait.
        status = _LIMITED if status == _UNAVAILABLE else status
        told["X-Sentry-Rate-Limits"] = f"{math.ceil(outcome.retry_after)}::organization:firstcause"
    return Answer(status, {"detail": outcome.error, "error": outcome.error}, told)
