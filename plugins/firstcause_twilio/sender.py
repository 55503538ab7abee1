"""Tells each number of an account of ours, by whatever way: what the notifiers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause import Delivered, DeliveryError
from firstcause_twilio.account import client, described

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause import Notification
    from firstcause_twilio.config import Config, Own

_TOO_MANY = 429
_SERVER_ERROR = 500


class Sender:
    """Tells every number. tell: given a client, a message and a number, makes what Twilio then delivers."""

    def __init__(self, config: Config, own: Own, tell: Callable[[Any, Notification, str], Any]) -> None:
        self._config = config
        self._own = own
        self._tell = tell
        self._delivered = Delivered()

    def send(self, notification: Notification) -> str:
        """Returns Twilio's ids. DeliveryError where any number could not be told."""
        told = self._delivered.of(notification)
        twilio = client(self._own.account_sid, self._own.auth_token.get_secret_value(), self._config)
        failures: list[Exception] = []
        for number in self._own.to:
            if number in told:
                continue
            try:
                told[number] = str(self._tell(twilio, notification, number).sid)
            except Exception as error:  # noqa: BLE001 - the other numbers are to be told whatever this was
                failures.append(error)
        if failures:
            raise _failure(failures, len(self._own.to))
        return ", ".join(told.values())


def _failure(failures: list[Exception], receivers: int) -> DeliveryError:
    passing = [error for error in failures if _passes(error)]
    first = (passing or failures)[0]
    whom = f" ({len(failures)} of {receivers} numbers)" if receivers > 1 else ""
    return DeliveryError(f"{described(first)}{whom}", permanent=not passing)


def _passes(error: Exception) -> bool:
    """Whether trying again may help: not where Twilio refused this request for what it is."""
    status = getattr(error, "status", None)
    return not isinstance(status, int) or status == _TOO_MANY or status >= _SERVER_ERROR
