"""One request after the other to the daemon, and what its answers mean."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import time
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.client.settings import Settings

_PACKED_FROM = 1024
_LONGEST_ANSWER = 1024 * 1024
_LONGEST_WAIT = 3600.0
_LATER = frozenset({408, 425, 429})
_NOT_OF_THE_BATCH = frozenset({401, 403, 404, 405, 407})
"""The token, the address or a proxy is wrong: with that mended, the same batch is taken."""


class Fate(Enum):
    """What becomes of a batch."""

    TAKEN = "taken"
    LATER = "later"
    TOO_LARGE = "too large"
    REFUSED = "refused"


class Answer(NamedTuple):
    """rejected: events of a taken batch that were not. retry_after: seconds, where it said so."""

    fate: Fate
    why: str = ""
    rejected: int = 0
    retry_after: float | None = None


class Transport:
    """Keeps one connection. Used by one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = f"{parts.path.rstrip('/')}/api/v1/events"
        self._secure = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._token: str | None = None

    def post(self, lines: Sequence[bytes]) -> Answer:
        """The answer; a connection that fails is LATER, and says why."""
        body = b"\n".join(lines)
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "firstcause-client"}
        if len(body) >= _PACKED_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        again = self._connection is not None
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            # One that was kept open may have been closed meanwhile; only a new one tells.
            if not again or isinstance(error, TimeoutError):
                return Answer(Fate.LATER, _reason(error))
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer(Fate.LATER, _reason(error))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _post(self, body: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            self._token = self._read_token()
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self._settings.timeout)
        if self._token:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        text = response.read(_LONGEST_ANSWER)
        answer = _meaning(response.status, response.getheader("Retry-After"), text)
        if response.will_close or answer.fate is not Fate.TAKEN or not response.isclosed():
            self.close()
        return answer

    def _read_token(self) -> str | None:
        if self._settings.token_file:
            return Path(self._settings.token_file).read_text(encoding="utf-8").strip()
        return self._settings.token


def _reason(error: Exception) -> str:
    # A ValueError is of the token that no header can hold, and might show it.
    if isinstance(error, ValueError):
        return "the token cannot be sent: it must be one line of ASCII"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _meaning(status: int, retry_after: str | None, text: bytes) -> Answer:
    said = _json(text)
    why = f"it answers {status}" + (f": {str(said['error'])[:300]}" if "error" in said else "")
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
        rejected = said.get("rejected")
        return Answer(Fate.TAKEN, rejected=len(rejected) if isinstance(rejected, list) else 0)
    if status == 413:  # noqa: PLR2004
        return Answer(Fate.TOO_LARGE, why)
    if status in _LATER or status >= 500 or status in _NOT_OF_THE_BATCH or status < 400:  # noqa: PLR2004
        return Answer(Fate.LATER, why, retry_after=seconds(retry_after, time.time()))
    return Answer(Fate.REFUSED, why)


def seconds(retry_after: str | None, now: float) -> float | None:
    """Of a header Retry-After, in either form, at most an hour; None where it says nothing."""
    if not retry_after:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = parsedate_to_datetime(retry_after).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wait, 0.0), _LONGEST_WAIT) if wait == wait else None  # noqa: PLR0124 - NaN


def _json(text: bytes) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
