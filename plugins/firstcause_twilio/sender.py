"""Sends to each number of our account: what the SMS and the call notifier share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause import DeliveryError, DeliveryTracker
from firstcause_twilio.probe import build_client, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause import Notification
    from firstcause_twilio.config import Config, SendingAccount

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class Sender:
    """Sends to every number. deliver: takes a client, a notification and a number, and sends one message."""

    def __init__(
        self, config: Config, account: SendingAccount, deliver: Callable[[Any, Notification, str], Any]
    ) -> None:
        self._config = config
        self._account = account
        self._deliver = deliver
        self._delivered = DeliveryTracker()

    def send(self, notification: Notification) -> str:
        """Send to each number that lacks it, and return Twilio's ids. DeliveryError: a number failed."""
        delivered = self._delivered.receipts_for(notification)
        twilio = build_client(
            self._account.account_sid, self._account.auth_token.get_secret_value(), self._config
        )
        failures: list[Exception] = []
        for number in self._account.to:
            if number in delivered:
                continue
            try:
                delivered[number] = str(self._deliver(twilio, notification, number).sid)
            except Exception as error:  # noqa: BLE001 - the other numbers must be reached whatever this error is
                failures.append(error)
        if failures:
            raise _combine_failures(failures, len(self._account.to))
        return ", ".join(delivered.values())


def _combine_failures(failures: list[Exception], receivers: int) -> DeliveryError:
    retryable = [error for error in failures if _is_retryable(error)]
    first = (retryable or failures)[0]
    affected = f" ({len(failures)} of {receivers} numbers)" if receivers > 1 else ""
    return DeliveryError(f"{describe_error(first)}{affected}", permanent=not retryable)


def _is_retryable(error: Exception) -> bool:
    """Whether a retry may help; it does not if Twilio rejected the request itself."""
    status = getattr(error, "status", None)
    return not isinstance(status, int) or status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
