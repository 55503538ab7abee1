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

_MAX_BODY_BYTES = 1024 * 1024
_DAY_S = 86400.0
_CERTIFICATE_CODES = (
    ("certificate has expired", "TLS_CERTIFICATE_EXPIRED"),
    ("hostname mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("ip address mismatch", "TLS_HOSTNAME_MISMATCH"),
    ("self-signed certificate", "TLS_UNTRUSTED_CA"),
    ("self signed certificate", "TLS_UNTRUSTED_CA"),
    ("unable to get local issuer", "TLS_UNTRUSTED_CA"),
)


def check_url(check: Check) -> Reading:
    findings = Findings()
    try:
        status, body = _send_request(check, findings)
    except httpx.TimeoutException:
        findings.down(f"no answer within {check.timeout:g} s", check.code)
        return findings.reading("")
    except (httpx.HTTPError, OSError) as error:
        findings.down(*_classify_error(error, check))
        return findings.reading("")
    findings.measure("http_status", status)
    _check_response(check, findings, status, body)
    return findings.reading(f"answered {status}")


def _send_request(check: Check, findings: Findings) -> tuple[int, str]:
    headers = {name: value.get_secret_value() for name, value in check.headers.items()}
    trusted: Any = ssl.create_default_context(cafile=check.ca_file) if check.ca_file else True
    deadline = time.perf_counter() + check.timeout
    limits: dict[str, Any] = {"timeout": check.timeout, "follow_redirects": check.follow_redirects}
    with httpx.Client(verify=trusted, **limits) as client:
        # Reading the trusted certificates takes longer than many an answer.
        findings.restart()
        stream = client.stream(check.method, str(check.url), headers=headers, content=check.body)
        with stream as response:
            _measure_certificate(check, findings, response)
            body = _read_body(response, deadline)
    return response.status_code, body.decode("utf-8", "replace")


def _read_body(response: httpx.Response, deadline: float) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if time.perf_counter() > deadline:
            msg = "the body did not end in time"
            raise httpx.ReadTimeout(msg)
        if len(body) >= _MAX_BODY_BYTES:
            break
    return body


def _measure_certificate(check: Check, findings: Findings, response: httpx.Response) -> None:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    not_after = (connection.getpeercert() or {}).get("notAfter") if connection is not None else None
    if not_after is None:
        return
    days = (ssl.cert_time_to_seconds(not_after) - time.time()) / _DAY_S
    findings.measure("certificate_days_to_expiry", days)
    if days < check.certificate_days:
        findings.degraded(
            f"the certificate ends in {days:.1f} days, on {not_after}", "TLS_CERTIFICATE_EXPIRING"
        )


def _classify_error(error: Exception, check: Check) -> tuple[str, str]:
    message = f"{type(error).__name__}: {error}"
    codes = (code for phrase, code in _CERTIFICATE_CODES if phrase in message.lower())
    return message[:400], next(codes, check.code)


def _check_response(check: Check, findings: Findings, status: int, body: str) -> None:
    if status != check.expect_status:
        findings.down(f"answered {status}, not {check.expect_status}", check.code)
    elif check.expect_text is not None and check.expect_text not in body:
        findings.down(f"the answer lacks {check.expect_text!r}", check.code)
    elif check.expect_pattern is not None and not re2.search(check.expect_pattern, body):
        findings.down(f"nothing in the answer fits {check.expect_pattern}", check.code)
    findings.record_latency(check.degraded_ms, check.slow_code)
