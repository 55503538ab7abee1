"""The probe: whether Twilio accepts the application's account."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from firstcause import Findings, Reading, describe_connection_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause_twilio.config import Config

API_FAILURE_CODE = "TWILIO_API_FAILURE"

_FORBIDDEN_STATUSES = {403, 404}
"""A subaccount has no balance of its own, and a restricted key may not ask for it."""


@dataclass(frozen=True)
class Credentials:
    """The account that is checked; None where not set. source: where they were read, for messages."""

    sid: str | None
    token: str | None
    source: str
    from_number: str | None = None


def read_credentials(config: Config) -> Credentials:
    """Read the credentials at each check: a deployment may have changed them since the last one."""
    if config.env_file is None:
        token = config.auth_token.get_secret_value() if config.auth_token else None
        return Credentials(config.account_sid, token, "[plugins.twilio]", config.number)
    path = Path(config.env_file)
    values = dotenv_values(path) if path.is_file() else {}
    from_number = values.get("TWILIO_PHONE_NUMBER") or config.number
    return Credentials(
        values.get("TWILIO_ACCOUNT_SID"), values.get("TWILIO_AUTH_TOKEN"), path.name, from_number
    )


def build_client(sid: str, token: str, config: Config, on_response: Callable[..., None] | None = None) -> Any:
    """Build a client of twilio-python with our timeout and without retries of its own.

    on_response: called with each response of the library requests, whose headers twilio-python's errors lack.
    """
    # The import takes half a second, which a command that never sends should not pay.
    from twilio.rest import Client  # noqa: PLC0415

    from firstcause_twilio.http_client import build_http_client  # noqa: PLC0415

    twilio_client = Client(sid, token, http_client=build_http_client(config.timeout, on_response))
    if config.api_url is not None:
        twilio_client.api.base_url = config.api_url
    return twilio_client


def check_account(config: Config) -> Reading:
    from twilio.base.exceptions import TwilioException  # noqa: PLC0415

    findings = Findings()
    credentials = read_credentials(config)
    missing = [
        name
        for name, value in (("TWILIO_ACCOUNT_SID", credentials.sid), ("TWILIO_AUTH_TOKEN", credentials.token))
        if not value
    ]
    if not credentials.sid or not credentials.token:
        findings.down(f"{' and '.join(missing)} not set in {credentials.source}", API_FAILURE_CODE)
        return findings.reading("")
    try:
        account = build_client(credentials.sid, credentials.token, config).api.v2010.accounts(credentials.sid)
        status = account.fetch().status
        findings.record_latency(config.degraded_ms)
        if status != "active":
            findings.down(f"the account is {status}", API_FAILURE_CODE)
        else:
            _measure_balance(config, findings, account)
            _check_from_number(findings, account, credentials)
    except (TwilioException, OSError) as error:
        findings.down(describe_error(error), API_FAILURE_CODE)
    return findings.reading("the account is active")


def _measure_balance(config: Config, findings: Findings, account: Any) -> None:
    from twilio.base.exceptions import TwilioException  # noqa: PLC0415

    try:
        balance = account.balance.fetch()
    except TwilioException as error:
        # Two kinds have a status: that of the newer error bodies, problem+json, is a class of its own.
        if getattr(error, "status", None) not in _FORBIDDEN_STATUSES:
            raise
        return
    amount = float(balance.balance)
    findings.measure("balance_left", amount)
    if amount < config.min_balance:
        message = f"{amount:.2f} {balance.currency} left, less than {config.min_balance:g}"
        findings.degraded(message, "TWILIO_BALANCE_LOW")


def _check_from_number(findings: Findings, account: Any, credentials: Credentials) -> None:
    # Short codes, sender ids and messaging services are not among an account's phone numbers.
    if credentials.from_number is None or not credentials.from_number.startswith("+"):
        return
    owned = account.incoming_phone_numbers.list(phone_number=credentials.from_number, limit=1)
    if not owned:
        message = f"{credentials.from_number}, set in {credentials.source}, is not a number of the account"
        findings.down(message, "TWILIO_FROM_NUMBER_NOT_OWNED")


def describe_error(error: Exception) -> str:
    """Describe an error on one line: Twilio's code and text, else why Twilio was not reached."""
    code = getattr(error, "code", None)
    # Newer error bodies (problem+json) have a title and a detail instead of a message.
    words = (getattr(error, name, None) for name in ("msg", "detail", "title"))
    text = next(filter(None, words), "no reason given")
    if code is not None:
        return f"Twilio {code}: {' '.join(str(text).split())}"
    if "Timeout" in type(error).__name__:
        # The library's words name its own classes.
        return f"Twilio is not reached: {type(error).__name__}: no answer in time"
    return f"Twilio is not reached: {describe_connection_error(error)[:300]}"
