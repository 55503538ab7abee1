"""The probe: whether Twilio lets the application's account in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_twilio.config import Config

CODE = "TWILIO_API_FAILURE"

_NOT_ALLOWED = {403, 404}
"""A subaccount has no balance of its own, and a restricted key may not ask for it."""


@dataclass(frozen=True)
class Credentials:
    """None where not set. place: where they are looked for, to tell a person."""

    sid: str | None
    token: str | None
    place: str
    number: str | None = None


def credentials(config: Config) -> Credentials:
    """As the application has them now: a deployment may have changed them since the last look."""
    if config.env_file is None:
        token = config.auth_token.get_secret_value() if config.auth_token else None
        return Credentials(config.account_sid, token, "[plugins.twilio]", config.number)
    path = Path(config.env_file)
    values = dotenv_values(path) if path.is_file() else {}
    number = values.get("TWILIO_PHONE_NUMBER") or config.number
    return Credentials(values.get("TWILIO_ACCOUNT_SID"), values.get("TWILIO_AUTH_TOKEN"), path.name, number)


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

    found = Findings()
    given = credentials(config)
    missing = [
        name
        for name, value in (("TWILIO_ACCOUNT_SID", given.sid), ("TWILIO_AUTH_TOKEN", given.token))
        if not value
    ]
    if not given.sid or not given.token:
        found.down(f"{' and '.join(missing)} not set in {given.place}", CODE)
        return found.reading("")
    try:
        account = client(given.sid, given.token, config).api.v2010.accounts(given.sid)
        status = account.fetch().status
        found.answered(config.degraded_ms)
        if status != "active":
            found.down(f"the account is {status}", CODE)
        else:
            _balance(config, found, account)
            _number(found, account, given)
    except (TwilioException, OSError) as error:
        found.down(described(error), CODE)
    return found.reading("the account is active")


def _balance(config: Config, found: Findings, account: Any) -> None:
    from twilio.base.exceptions import TwilioRestException  # noqa: PLC0415

    try:
        told = account.balance.fetch()
    except TwilioRestException as error:
        if error.status not in _NOT_ALLOWED:
            raise
        return
    left = float(told.balance)
    found.measure("balance_left", left)
    if left < config.balance_least:
        words = f"{left:.2f} {told.currency} are left, less than {config.balance_least:g}"
        found.degraded(words, "TWILIO_BALANCE_LOW")


def _number(found: Findings, account: Any, given: Credentials) -> None:
    if given.number is None:
        return
    owned = account.incoming_phone_numbers.list(phone_number=given.number, limit=1)
    if not owned:
        words = f"{given.number}, set in {given.place}, is no number of the account"
        found.down(words, "TWILIO_FROM_NUMBER_NOT_OWNED")


def described(error: Exception) -> str:
    """One line: Twilio's own code and words, else why it was not reached."""
    code, text = getattr(error, "code", None), getattr(error, "msg", None)
    if code is not None:
        return f"Twilio {code}: {' '.join(str(text).split())}"
    return f"Twilio is not reached: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
