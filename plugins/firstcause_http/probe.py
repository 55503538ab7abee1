"""Asks one URL, and looks at the answer and at the certificates that it came under."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import anyio._backends._asyncio  # noqa: F401 - httpx loads it with the first request, which it would slow
import httpx
import re2

from firstcause import Findings, Reading, describe_connection_error, run_with_time_limit
from firstcause_http.certificates import find_first_to_expire

if TYPE_CHECKING:
    from firstcause_http.config import Check

_MAX_BODY_BYTES = 1024 * 1024
_DAY_S = 86400.0
_STRICT_PHRASES = (
    "missing authority key identifier",
    "missing subject key identifier",
    "basic constraints of ca cert not marked critical",
    "ca cert does not include key usage",
    "missing key usage",
    "empty subject alternative name",
)
"""What Python from 3.13 on refuses in certificates of private authorities, and others let pass."""

_CERTIFICATE_CODES = (
    ("certificate has expired", "TLS_CERTIFICATE_EXPIRED"),
    ("hostname mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("ip address mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("self-signed certificate", "TLS_UNTRUSTED_CA"),
    ("self signed certificate", "TLS_UNTRUSTED_CA"),
    ("unable to get local issuer", "TLS_UNTRUSTED_CA"),
    *((phrase, "TLS_UNTRUSTED_CA") for phrase in _STRICT_PHRASES),
)


def check_url(check: Check) -> Reading:
    findings = Findings()
    try:
        trusted: Any = ssl.create_default_context(cafile=check.ca_file) if check.ca_file else True
    except OSError as error:
        message = f"ca_file {check.ca_file} cannot be used: {error.strerror}; name a readable PEM file"
        findings.down(message, check.code)
        return findings.reading("")
    try:
        request = _Request(check, findings, httpx.AsyncClient(verify=trusted, timeout=check.timeout))
        # Reading the trusted certificates takes longer than many an answer.
        findings.restart()
        # The client's limits are for each address, read and write; this one is for all of them.
        status, body = run_with_time_limit(request.send, check.timeout)
    except (httpx.TimeoutException, TimeoutError):
        findings.down(f"no answer within {check.timeout:g} s", check.code)
        return findings.reading("")
    except (httpx.HTTPError, OSError) as error:
        findings.down(*_classify_error(error, check))
        return findings.reading("")
    findings.measure("http_status", status)
    request.measure_certificates()
    _check_response(check, findings, status, body)
    return findings.reading(f"answered {status}")


class _Request:
    """One request, with the requests that its redirects lead to."""

    def __init__(self, check: Check, findings: Findings, client: httpx.AsyncClient) -> None:
        self._check = check
        self._findings = findings
        self._client = client
        self._expiries: list[tuple[float, str]] = []
        client.event_hooks = {"response": [self._note_certificates]}

    async def send(self) -> tuple[int, str]:
        check = self._check
        headers = {name: value.get_secret_value() for name, value in check.headers.items()}
        async with self._client as client:
            request = client.build_request(check.method, str(check.url), headers=headers, content=check.body)
            response = await client.send(request, stream=True, follow_redirects=check.follow_redirects)
            try:
                body = await _read_body(response)
            finally:
                await response.aclose()
        return response.status_code, body.decode("utf-8", "replace")

    async def _note_certificates(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        connection = stream.get_extra_info("ssl_object") if stream is not None else None
        if connection is not None:
            self._expiries.append(find_first_to_expire(connection, response.url.host))

    def measure_certificates(self) -> None:
        """Of all certificates of all hops: when the first of them ends."""
        if not self._expiries:
            return
        ends_at, certificate = min(self._expiries)
        days = (ends_at - time.time()) / _DAY_S
        self._findings.measure("certificate_days_to_expiry", days)
        if days < self._check.certificate_days:
            ends_on = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(ends_at))
            message = f"{certificate} ends in {days:.1f} days, on {ends_on}"
            self._findings.degraded(message, "TLS_CERTIFICATE_EXPIRING")


async def _read_body(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _MAX_BODY_BYTES:
            break
    return body


def _classify_error(error: Exception, check: Check) -> tuple[str, str]:
    message = describe_connection_error(error)
    codes = (code for phrase, code in _CERTIFICATE_CODES if phrase in message.lower())
    if any(phrase in message.lower() for phrase in _STRICT_PHRASES):
        message = (
            f"{message[:200]}: the authority's certificate lacks what RFC 5280 demands. Python from 3.13 on "
            "refuses it, where older Pythons and curl do not; have the authority issue another certificate"
        )
    return message[:400], next(codes, check.code)


def _check_response(check: Check, findings: Findings, status: int, body: str) -> None:
    if status != check.expect_status:
        findings.down(f"answered {status}, not {check.expect_status}", check.code)
    elif check.expect_text is not None and check.expect_text not in body:
        findings.down(f"the answer lacks {check.expect_text!r}", check.code)
    elif check.expect_pattern is not None and not re2.search(check.expect_pattern, body):
        findings.down(f"nothing in the answer fits {check.expect_pattern}", check.code)
    findings.record_latency(check.degraded_ms, check.slow_code)
