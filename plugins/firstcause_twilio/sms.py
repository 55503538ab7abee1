"""The notifier "twilio-sms": one SMS to each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause import Notification
    from firstcause_twilio.config import Sms


def make_texter(sms: Sms) -> Callable[[Any, Notification, str], Any]:
    """Make the function that sends one SMS."""

    def deliver(twilio: Any, notification: Notification, number: str) -> Any:
        return twilio.messages.create(body=notification.text, from_=sms.from_number, to=number)

    return deliver
