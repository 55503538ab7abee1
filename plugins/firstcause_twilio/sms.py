"""The notifier: one SMS to each number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from firstcause import DeliveryError
from firstcause_twilio.account import client, described

if TYPE_CHECKING:
    from firstcause import Notification
    from firstcause_twilio.config import Config, Sms

_TOO_MANY = 429
_SERVER_ERROR = 500
_REMEMBERED = 1000


class Sender:
    """Sends; remembers who of a message's receivers has it, so that trying again tells only the others."""

    def __init__(self, config: Config, sms: Sms) -> None:
        self._config = config
        self._sms = sms
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str, str], dict[str, str]] = OrderedDict()

    def send(self, notification: Notification) -> str:
        """Returns the message ids. DeliveryError where any number could not be told."""
        told = self._of(notification)
        sender = client(self._sms.account_sid, self._sms.auth_token.get_secret_value(), self._config)
        failures: list[Exception] = []
        for number in self._sms.to:
            if number in told:
                continue
            try:
                made = sender.messages.create(body=notification.text, from_=self._sms.from_number, to=number)
            except Exception as error:  # noqa: BLE001 - the other numbers are to be told whatever this was
                failures.append(error)
            else:
                told[number] = str(made.sid)
        if failures:
            raise _failure(failures, len(self._sms.to))
        return ", ".join(told.values())

    def _of(self, notification: Notification) -> dict[str, str]:
        key = (notification.incident_id, notification.reason.value, notification.code)
        with self._lock:
            told = self._told.setdefault(key, {})
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return told


def _failure(failures: list[Exception], receivers: int) -> DeliveryError:
    passing = [error for error in failures if _passes(error)]
    first = (passing or failures)[0]
    whom = f" ({len(failures)} of {receivers} numbers)" if receivers > 1 else ""
    return DeliveryError(f"{described(first)}{whom}", permanent=not passing)


def _passes(error: Exception) -> bool:
    """Whether trying again may help: not where Twilio refused this request for what it is."""
    status = getattr(error, "status", None)
    return not isinstance(status, int) or status == _TOO_MANY or status >= _SERVER_ERROR
