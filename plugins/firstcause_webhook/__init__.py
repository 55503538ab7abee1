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

from firstcause import (
    DeliveryError,
    Notification,
    Notifier,
    describe_connection_error,
    hookimpl,
    run_with_time_limit,
)

_RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500
_MIN_FAILURE_STATUS = 300
_WHOLE_TIMEOUT_FACTOR = 1.5


def _to_string(url: HttpUrl) -> str:
    return str(url)


class Config(BaseModel):
    """`[plugins.webhook]`. timeout: seconds. secret: signs the body (X-Firstcause-Signature)."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[HttpUrl, AfterValidator(_to_string)] | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    secret: SecretStr | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)


@hookimpl
def firstcause_notifiers(config: Config) -> list[Notifier]:
    if config.url is None:
        return []
    return [
        Notifier(
            name="webhook",
            send=lambda notification: _post_notification(config, notification),
            timeout=config.timeout * 2,
        )
    ]


def _post_notification(config: Config, notification: Notification) -> str | None:
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
    response = _post_body(config, body, headers)
    if response.status_code >= _MIN_FAILURE_STATUS:
        retryable = response.status_code in _RETRYABLE_STATUSES or response.status_code >= _SERVER_ERROR
        msg = f"the webhook answered {response.status_code} {response.reason_phrase}"
        raise DeliveryError(msg, permanent=not retryable, retry_after=_parse_retry_after(response))
    reference = response.headers.get("x-request-id")
    return None if reference is None else str(reference)


def _post_body(config: Config, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async def post() -> httpx.Response:
        async with httpx.AsyncClient(timeout=config.timeout) as client:
            return await client.post(str(config.url), content=body, headers=headers)

    try:
        # The client's limits are for each address, read and write; this one is for all of them. It is
        # longer, so that a connection that does not come about is reported as one: nothing was sent then.
        return run_with_time_limit(post, config.timeout * _WHOLE_TIMEOUT_FACTOR)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        msg = f"the webhook cannot be reached: {describe_connection_error(error)}"
        raise DeliveryError(msg) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        msg = f"the webhook gave no answer within {config.timeout:g} s"
        raise DeliveryError(msg, maybe_delivered=True) from error
    except httpx.HTTPError as error:
        msg = f"the webhook gave no answer: {describe_connection_error(error)}"
        raise DeliveryError(msg, maybe_delivered=True) from error


def _parse_retry_after(response: httpx.Response) -> str | float | None:
    """The header as it is; a date as seconds, by the receiver's own clock where it tells the time."""
    header: str | None = response.headers.get("retry-after")
    retry_at, now = _parse_date(header or ""), _parse_date(response.headers.get("date", ""))
    if retry_at is not None and now is not None:
        return (retry_at - now).total_seconds()
    return header


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
