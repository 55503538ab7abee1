"""`[plugins.twilio]`: the application's account, which is watched, and our own, which sends."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

_PHONE_NUMBER = r"\+[1-9]\d{6,14}"
_MESSAGING_SERVICE = r"MG[0-9a-fA-F]{32}"
_SHORT_CODE = r"\d{3,8}"
_SENDER_ID = r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}"
_SENDER_PATTERN = re.compile(rf"{_PHONE_NUMBER}|{_MESSAGING_SERVICE}|{_SHORT_CODE}|{_SENDER_ID}")


def _check_sender(sender: str) -> str:
    if not _SENDER_PATTERN.fullmatch(sender):
        raise ValueError(
            "no sender of messages; give a phone number as +15551234567, a messaging service's SID (MG...), "
            "a short code, or a sender id of up to 11 letters and digits"
        )
    return sender


class SendingAccount(BaseModel):
    """The account that sends; best another than the application's, which may be what is broken.

    to: E.164, as +15551234567.
    """

    model_config = ConfigDict(extra="forbid")

    account_sid: str = Field(min_length=1)
    auth_token: SecretStr
    from_number: str
    to: list[str] = Field(min_length=1)


class Sms(SendingAccount):
    """`[plugins.twilio.sms]`.

    from_number: a phone number, a messaging service's SID, a short code, or an alphanumeric sender id.
    """

    from_number: Annotated[str, AfterValidator(_check_sender)]


class Call(SendingAccount):
    """`[plugins.twilio.call]`. language, voice: of Twilio's <Say>, None for Twilio's own choice."""

    from_number: str = Field(pattern=rf"^{_PHONE_NUMBER}$")
    language: str | None = None
    voice: str | None = None


class Config(BaseModel):
    """env_file: the application's dotenv file, read at every check; account_sid and auth_token else.

    api_url: where Twilio's API answers, None for Twilio itself. timeout, interval: seconds.
    degraded_ms: a slower answer is DEGRADED, and so is a balance below min_balance, in the account's
    currency. number: the one that the application sends from, if its env_file does not name one; the account
    must own it.
    """

    model_config = ConfigDict(extra="forbid")

    renamed_keys: ClassVar[dict[str, str]] = {"balance_least": "min_balance"}

    env_file: str | None = None
    account_sid: str | None = None
    auth_token: SecretStr | None = None
    api_url: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)
    interval: float = Field(default=60.0, ge=1)
    degraded_ms: float = Field(default=3000.0, gt=0)
    min_balance: float = 5.0
    number: str | None = None
    sms: Sms | None = None
    call: Call | None = None
