"""`[plugins.http]`."""

from __future__ import annotations

from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr


def _to_string(url: HttpUrl) -> str:
    return str(url)


def _check_pattern(text: str) -> str:
    try:
        re2.compile(text)
    except re2.error as error:
        raise ValueError(f"{text!r} is not a regular expression (RE2): {error}") from None
    return text


class Check(BaseModel):
    """What to ask and what to expect. code: the error reported when it is down. Times: seconds, but _ms.

    expect_text: must be in the response; expect_pattern: a regular expression (RE2) that must match
    there. headers: their values are secrets. certificate_days: it is DEGRADED when the certificate ends
    within so many days. ca_file: a further certificate authority to trust.
    """

    model_config = ConfigDict(extra="forbid")

    url: Annotated[HttpUrl, AfterValidator(_to_string)]
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] = "GET"
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    body: str | None = None
    expect_status: int = Field(default=200, ge=100, le=599)
    expect_text: str | None = None
    expect_pattern: Annotated[str, AfterValidator(_check_pattern)] | None = None
    follow_redirects: bool = True
    component: str = "platform"
    code: str = "PLATFORM_HEALTH_CHECK_CRITICAL"
    slow_code: str | None = None
    degraded_ms: float = Field(default=2000.0, gt=0)
    certificate_days: float = Field(default=14.0, ge=0)
    ca_file: str | None = None
    interval: float = Field(default=60.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    checks: dict[str, Check] = Field(default_factory=dict)
