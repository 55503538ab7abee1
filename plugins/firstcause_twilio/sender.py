"""Sends to each number of our account: what the SMS and the call notifier share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause import DeliveryError, DeliveryReport, DeliveryState, DeliveryTracker
from firstcause_twilio.probe import build_client, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from firstcause import Notification
    from firstcause_twilio.config import Config, SendingAccount

_TOO_MANY_REQUESTS = 429
_TOO_MANY_REQUESTS_CODE = 20429
_SERVER_ERROR = 500
_UNAVAILABLE = 503


@dataclass(frozen=True)
class Channel:
    """One way to reach a number. Each function takes a client of twilio-python.

    deliver: sends one message, and returns its SID. read_report: asks what became of a SID. find_sent: looks
    up the SID of a message that an earlier attempt may have sent; None if that cannot be told.
    """

    deliver: Callable[[Any, Notification, str], str]
    read_report: Callable[[Any, str], DeliveryReport]
    find_sent: Callable[[Any, Notification, str], str | None] | None = None


@dataclass(frozen=True)
class _Failure:
    """A number that was not reached. retry_after: the header of the response, None if there was none."""

    error: Exception
    retry_after: str | None

    @property
    def is_retryable(self) -> bool:
        """Whether a retry may help; it does not if Twilio rejected the request itself."""
        status = getattr(self.error, "status", None)
        return (
            not isinstance(status, int)
            or status == _TOO_MANY_REQUESTS
            or status >= _SERVER_ERROR
            or getattr(self.error, "code", None) == _TOO_MANY_REQUESTS_CODE
        )

    @property
    def is_in_doubt(self) -> bool:
        """Whether Twilio may have taken the message all the same."""
        status = getattr(self.error, "status", None)
        if isinstance(status, int):
            return status >= _SERVER_ERROR and status != _UNAVAILABLE
        return not _never_connected(self.error)


class Sender:
    """Sends to every number, each once."""

    def __init__(self, config: Config, account: SendingAccount, channel: Channel) -> None:
        self._config = config
        self._account = account
        self._channel = channel
        self._delivered = DeliveryTracker()

    def send(self, notification: Notification) -> str:
        """Send to each number that lacks it, and return Twilio's ids. DeliveryError: a number failed."""
        delivered = self._delivered.receipts_for(notification)
        latest_headers: dict[str, str | None] = {}
        twilio = self._build_client(latest_headers)
        failures: list[_Failure] = []
        for number in self._account.to:
            if number in delivered:
                continue
            latest_headers.clear()
            try:
                delivered[number] = self._channel.deliver(twilio, notification, number)
            except Exception as error:  # noqa: BLE001 - the other numbers must be reached whatever this error is
                failures.append(_Failure(error, latest_headers.get("retry-after")))
        if failures:
            raise _combine_failures(failures, len(self._account.to), delivered)
        return ", ".join(delivered.values())

    def find_sent(self, notification: Notification) -> str | None:
        """Look up which numbers have a message that is in doubt. Twilio's ids, if all of them have it."""
        delivered = self._delivered.receipts_for(notification)
        twilio = self._build_client({})
        for number in self._account.to:
            if number in delivered or self._channel.find_sent is None:
                continue
            sid = self._channel.find_sent(twilio, notification, number)
            if sid is not None:
                delivered[number] = sid
        missing = [number for number in self._account.to if number not in delivered]
        return None if missing else ", ".join(delivered.values())

    def check_delivery(self, reference: str) -> DeliveryReport:
        """Ask what became of the messages to all numbers. One that failed counts, as somebody lacks it."""
        twilio = self._build_client({})
        reports = [self._channel.read_report(twilio, sid) for sid in reference.split(", ")]
        failed = [report for report in reports if report.state is DeliveryState.FAILED]
        if failed:
            affected = f" ({len(failed)} of {len(reports)} numbers)" if len(reports) > 1 else ""
            return DeliveryReport(DeliveryState.FAILED, f"{failed[0].error}{affected}")
        is_pending = any(report.state is DeliveryState.PENDING for report in reports)
        return DeliveryReport(DeliveryState.PENDING if is_pending else DeliveryState.DELIVERED)

    def _build_client(self, latest_headers: dict[str, str | None]) -> Any:
        """latest_headers: filled with what is needed of the headers of each response."""

        def keep_headers(response: Any, *_args: object, **_options: object) -> None:
            latest_headers["retry-after"] = response.headers.get("Retry-After")

        token = self._account.auth_token.get_secret_value()
        return build_client(self._account.account_sid, token, self._config, keep_headers)


def _combine_failures(
    failures: list[_Failure], receivers: int, delivered: Mapping[str, str]
) -> DeliveryError:
    retryable = [failure for failure in failures if failure.is_retryable]
    first = (retryable or failures)[0]
    affected = f" ({len(failures)} of {receivers} numbers)" if receivers > 1 else ""
    waits = (failure.retry_after for failure in retryable if failure.retry_after is not None)
    return DeliveryError(
        f"{describe_error(first.error)}{affected}",
        permanent=not retryable,
        retry_after=next(waits, None),
        maybe_delivered=any(failure.is_in_doubt for failure in failures),
        receipts=delivered,
    )


def _never_connected(error: Exception) -> bool:
    from requests.exceptions import ConnectTimeout, SSLError  # noqa: PLC0415 - half a second with twilio
    from urllib3.exceptions import NewConnectionError  # noqa: PLC0415

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, ConnectTimeout | SSLError) or isinstance(reason, NewConnectionError)
