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

_MIN_GZIP_BYTES = 1024
_MAX_RESPONSE_BYTES = 1024 * 1024
_MAX_WAIT_S = 3600.0
_RETRY_STATUSES = frozenset({408, 425, 429})
_SETUP_ERROR_STATUSES = frozenset({401, 403, 404, 405, 407})
"""Statuses for a wrong token, address or proxy: once that is fixed, the same batch is accepted."""


class SendResult(Enum):
    """What becomes of a batch."""

    ACCEPTED = "taken"
    RETRY = "later"
    TOO_LARGE = "too large"
    REJECTED = "refused"


class SendResponse(NamedTuple):
    """rejected: events of an accepted batch that were rejected. retry_after: seconds; None if not given."""

    result: SendResult
    reason: str = ""
    rejected: int = 0
    retry_after: float | None = None


class Transport:
    """Keeps one connection. Used by one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = f"{parts.path.rstrip('/')}/api/v1/events"
        self._is_https = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._token: str | None = None

    def post(self, lines: Sequence[bytes]) -> SendResponse:
        """Send one batch; a connection that fails is LATER, with the reason."""
        body = b"\n".join(lines)
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "firstcause-client"}
        if len(body) >= _MIN_GZIP_BYTES:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        is_reused = self._connection is not None
        try:
            return self._send_request(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            # A connection that was kept open may have been closed meanwhile; only a new one is proof.
            if not is_reused or isinstance(error, TimeoutError):
                return SendResponse(SendResult.RETRY, _format_reason(error))
        try:
            return self._send_request(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return SendResponse(SendResult.RETRY, _format_reason(error))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _send_request(self, body: bytes, headers: dict[str, str]) -> SendResponse:
        if self._connection is None:
            self._token = self._read_token()
            connection_type = http.client.HTTPSConnection if self._is_https else http.client.HTTPConnection
            self._connection = connection_type(self._host, self._port, timeout=self._settings.timeout)
        if self._token:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        text = response.read(_MAX_RESPONSE_BYTES)
        result = _interpret_response(response.status, response.getheader("Retry-After"), text)
        if response.will_close or result.result is not SendResult.ACCEPTED or not response.isclosed():
            self.close()
        return result

    def _read_token(self) -> str | None:
        if self._settings.token_file:
            return Path(self._settings.token_file).read_text(encoding="utf-8").strip()
        return self._settings.token


def _format_reason(error: Exception) -> str:
    # A ValueError is of the token that no header can hold, and might show it.
    if isinstance(error, ValueError):
        return "the token cannot be sent: it must be one line of ASCII"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _interpret_response(status: int, retry_after: str | None, text: bytes) -> SendResponse:
    payload = _parse_json(text)
    reason = f"it answers {status}" + (f": {str(payload['error'])[:300]}" if "error" in payload else "")
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
        rejected = payload.get("rejected")
        return SendResponse(SendResult.ACCEPTED, rejected=len(rejected) if isinstance(rejected, list) else 0)
    if status == 413:  # noqa: PLR2004
        return SendResponse(SendResult.TOO_LARGE, reason)
    if status in _RETRY_STATUSES or status >= 500 or status in _SETUP_ERROR_STATUSES or status < 400:  # noqa: PLR2004
        return SendResponse(SendResult.RETRY, reason, retry_after=parse_retry_after(retry_after, time.time()))
    return SendResponse(SendResult.REJECTED, reason)


def parse_retry_after(retry_after: str | None, now: float) -> float | None:
    """Parse a header Retry-After, in either form, into seconds, at most an hour; None if invalid."""
    if not retry_after:
        return None
    try:
        wait_s = float(retry_after)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(retry_after).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wait_s, 0.0), _MAX_WAIT_S) if wait_s == wait_s else None  # noqa: PLR0124 - NaN


def _parse_json(text: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
