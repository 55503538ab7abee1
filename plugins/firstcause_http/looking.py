"""Asks one URL, and looks at the answer and at the certificate that it came under."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx
import re2

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_http.config import Check

_READ_AT_MOST = 1024 * 1024
_DAY = 86400.0
_CERTIFICATE = (
    ("certificate has expired", "TLS_CERTIFICATE_EXPIRED"),
    ("hostname mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("ip address mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("self-signed certificate", "TLS_UNTRUSTED_CA"),
    ("self signed certificate", "TLS_UNTRUSTED_CA"),
    ("unable to get local issuer", "TLS_UNTRUSTED_CA"),
)


def look(check: Check) -> Reading:
    found = Findings()
    try:
        status, body = _asked(check, found)
    except httpx.TimeoutException:
        found.down(f"no answer within {check.timeout:g} s", check.code)
        return found.reading("")
    except (httpx.HTTPError, OSError) as error:
        found.down(*_why(error, check))
        return found.reading("")
    found.measure("http_status", status)
    _judge(check, found, status, body)
    return found.reading(f"answered {status}")


def _asked(check: Check, found: Findings) -> tuple[int, str]:
    headers = {name: value.get_secret_value() for name, value in check.headers.items()}
    trusted: Any = ssl.create_default_context(cafile=check.ca_file) if check.ca_file else True
    until = time.perf_counter() + check.timeout
    limits: dict[str, Any] = {"timeout": check.timeout, "follow_redirects": check.follow_redirects}
    with httpx.Client(verify=trusted, **limits) as client:
        # Reading the trusted certificates takes longer than many an answer.
        found.restart()
        asked = client.stream(check.method, str(check.url), headers=headers, content=check.body)
        with asked as answer:
            _certificate(check, found, answer)
            body = _body(answer, until)
    return answer.status_code, body.decode("utf-8", "replace")


def _body(answer: httpx.Response, until: float) -> bytes:
    body = b""
    for chunk in answer.iter_bytes():
        body += chunk
        if time.perf_counter() > until:
            msg = "the body did not end in time"
            raise httpx.ReadTimeout(msg)
        if len(body) >= _READ_AT_MOST:
            break
    return body


def _certificate(check: Check, found: Findings, answer: httpx.Response) -> None:
    stream = answer.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    ends = (connection.getpeercert() or {}).get("notAfter") if connection is not None else None
    if ends is None:
        return
    days = (ssl.cert_time_to_seconds(ends) - time.time()) / _DAY
    found.measure("certificate_days_to_expiry", days)
    if days < check.certificate_days:
        found.degraded(f"the certificate ends in {days:.1f} days, on {ends}", "TLS_CERTIFICATE_EXPIRING")


def _why(error: Exception, check: Check) -> tuple[str, str]:
    said = f"{type(error).__name__}: {error}"
    by_words = (code for words, code in _CERTIFICATE if words in said.lower())
    return said[:400], next(by_words, check.code)


def _judge(check: Check, found: Findings, status: int, body: str) -> None:
    if status != check.expect_status:
        found.down(f"answered {status}, not {check.expect_status}", check.code)
    elif check.expect_text is not None and check.expect_text not in body:
        found.down(f"the answer lacks {check.expect_text!r}", check.code)
    elif check.expect_pattern is not None and not re2.search(check.expect_pattern, body):
        found.down(f"nothing in the answer fits {check.expect_pattern}", check.code)
    found.answered(check.degraded_ms, check.slow_code)
