"""Notifier "webhook": posts each notification as JSON to a URL of yours."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from firstcause import DeliveryError, Notification, Notifier, hookimpl

_TRY_AGAIN = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500
_REFUSAL = 300


def _plain(url: HttpUrl) -> str:
    return str(url)


class Config(BaseModel):
    """`[plugins.webhook]`. timeout: seconds. secret: signs the body (X-Firstcause-Signature)."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[HttpUrl, AfterValidator(_plain)] | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    secret: SecretStr | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)


@hookimpl
def firstcause_notifiers(config: Config) -> list[Notifier]:
    if config.url is None:
        return []
    return [Notifier(name="webhook", send=lambda each: _post(config, each), timeout=config.timeout * 2)]


def _post(config: Config, notification: Notification) -> str | None:
    body = json.dumps(notification.model_dump(mode="json")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "firstcause",
        "Idempotency-Key": notification.id,
        **{name: value.get_secret_value() for name, value in config.headers.items()},
    }
    if config.secret is not None:
        signature = hmac.new(config.secret.get_secret_value().encode(), body, hashlib.sha256)
        headers["X-Firstcause-Signature"] = f"sha256={signature.hexdigest()}"
    try:
        answer = httpx.post(str(config.url), content=body, headers=headers, timeout=config.timeout)
    except httpx.HTTPError as error:
        msg = f"the webhook cannot be reached: {type(error).__name__}: {error}"
        raise DeliveryError(msg) from error
    if answer.status_code >= _REFUSAL:
        again = answer.status_code in _TRY_AGAIN or answer.status_code >= _SERVER_ERROR
        msg = f"the webhook answered {answer.status_code} {answer.reason_phrase}"
        raise DeliveryError(msg, permanent=not again, retry_after=_retry_after(answer))
    reference = answer.headers.get("x-request-id")
    return None if reference is None else str(reference)


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds; RFC 9110 allows a date too, which is taken against the receiver's own clock."""
    said = answer.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    then, now = _date(said), _date(answer.headers.get("date", ""))
    return max((then - now).total_seconds(), 0.0) if then is not None and now is not None else None


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
