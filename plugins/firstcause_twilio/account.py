"""The probe: whether Twilio lets the application's account in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from firstcause import Reading, Status

if TYPE_CHECKING:
    from firstcause_twilio.config import Config

CODE = "TWILIO_API_FAILURE"


@dataclass(frozen=True)
class Credentials:
    """None where not set. place: where they are looked for, to tell a person."""

    sid: str | None
    token: str | None
    place: str


def credentials(config: Config) -> Credentials:
    """As the application has them now: a deployment may have changed them since the last look."""
    if config.env_file is None:
        token = config.auth_token.get_secret_value() if config.auth_token else None
        return Credentials(config.account_sid, token, "[plugins.twilio]")
    path = Path(config.env_file)
    values = dotenv_values(path) if path.is_file() else {}
    return Credentials(values.get("TWILIO_ACCOUNT_SID"), values.get("TWILIO_AUTH_TOKEN"), path.name)


def client(sid: str, token: str, config: Config) -> Any:
    """A client of twilio-python that gives up after `timeout`, and does not try again by itself."""
    # Half a second of import that a command which never sends should not pay.
    from twilio.http.http_client import TwilioHttpClient  # noqa: PLC0415
    from twilio.rest import Client  # noqa: PLC0415

    made = Client(sid, token, http_client=TwilioHttpClient(timeout=config.timeout, max_retries=0))
    if config.api_url is not None:
        made.api.base_url = config.api_url
    return made


def look(config: Config) -> Reading:
    from twilio.base.exceptions import TwilioException  # noqa: PLC0415

    given = credentials(config)
    missing = [
        name
        for name, value in (("TWILIO_ACCOUNT_SID", given.sid), ("TWILIO_AUTH_TOKEN", given.token))
        if not value
    ]
    if not given.sid or not given.token:
        return _down(f"{' and '.join(missing)} not set in {given.place}")
    started = time.perf_counter()
    try:
        account = client(given.sid, given.token, config).api.v2010.accounts(given.sid).fetch()
    except (TwilioException, OSError) as error:
        return _down(described(error))
    took = round((time.perf_counter() - started) * 1000, 1)
    if account.status != "active":
        return _down(f"the account is {account.status}", took)
    if took > config.degraded_ms:
        slow = f"answered in {took:g} ms, over {config.degraded_ms:g} ms"
        return Reading(status=Status.DEGRADED, detail=slow, latency_ms=took)
    return Reading(status=Status.UP, detail="the account is active", latency_ms=took)


def described(error: Exception) -> str:
    """One line: Twilio's own code and words, else why it was not reached."""
    code, text = getattr(error, "code", None), getattr(error, "msg", None)
    if code is not None:
        return f"Twilio {code}: {' '.join(str(text).split())}"
    return f"Twilio is not reached: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _down(detail: str, took: float | None = None) -> Reading:
    return Reading(status=Status.DOWN, detail=detail, latency_ms=took, code=CODE)
