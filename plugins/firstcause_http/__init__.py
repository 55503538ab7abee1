"""Probes that ask a URL, one for each table `[plugins.http.checks.<name>]`."""

from __future__ import annotations

import time
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl

from firstcause import Probe, Reading, Status, hookimpl

_READ_AT_MOST = 1024 * 1024


def _plain(url: HttpUrl) -> str:
    return str(url)


class Check(BaseModel):
    """What to ask and what to expect. code: the error reported when it is down. Times: seconds, but _ms."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[HttpUrl, AfterValidator(_plain)]
    expect_status: int = Field(default=200, ge=100, le=599)
    expect_text: str | None = None
    component: str = "platform"
    code: str = "PLATFORM_HEALTH_CHECK_CRITICAL"
    degraded_ms: float = Field(default=2000.0, gt=0)
    interval: float = Field(default=60.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)


class Config(BaseModel):
    """`[plugins.http]`."""

    model_config = ConfigDict(extra="forbid")

    checks: dict[str, Check] = Field(default_factory=dict)


@hookimpl
def firstcause_probes(config: Config) -> list[Probe]:
    return [_probe(name, check) for name, check in config.checks.items()]


def _probe(name: str, check: Check) -> Probe:
    return Probe(
        name=name,
        component=check.component,
        check=lambda: _look(check),
        code=check.code,
        interval=check.interval,
        # The request is cut off by its own limit first, which says more.
        timeout=check.timeout + 1,
    )


def _look(check: Check) -> Reading:
    started = time.perf_counter()
    until = started + check.timeout
    try:
        with httpx.stream("GET", str(check.url), timeout=check.timeout, follow_redirects=True) as answer:
            body = _body(answer, until)
    except httpx.TimeoutException:
        return Reading(status=Status.DOWN, detail=f"no answer within {check.timeout:g} s", code=check.code)
    except httpx.HTTPError as error:
        return Reading(status=Status.DOWN, detail=f"{type(error).__name__}: {error}", code=check.code)
    took = (time.perf_counter() - started) * 1000
    return _judged(check, answer.status_code, body, round(took, 1))


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


def _judged(check: Check, status: int, body: bytes, took: float) -> Reading:
    data = {"http_status": status}
    if status != check.expect_status:
        detail = f"answered {status}, not {check.expect_status}"
    elif check.expect_text is not None and check.expect_text not in body.decode("utf-8", "replace"):
        detail = f"the answer lacks {check.expect_text!r}"
    elif took > check.degraded_ms:
        slow = f"answered {status} in {took:g} ms, over {check.degraded_ms:g} ms"
        return Reading(status=Status.DEGRADED, detail=slow, latency_ms=took, data=data)
    else:
        return Reading(status=Status.UP, detail=f"answered {status}", latency_ms=took, data=data)
    return Reading(status=Status.DOWN, detail=detail, latency_ms=took, code=check.code, data=data)
