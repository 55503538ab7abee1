"""The notifier "twilio-sms": one SMS to each number."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from firstcause import DeliveryReport, DeliveryState
from firstcause_twilio.sender import Channel

if TYPE_CHECKING:
    from firstcause import Notification
    from firstcause_twilio.config import Sms

_DELIVERED_STATUSES = frozenset({"delivered", "read", "received", "partially_delivered"})
_FAILED_STATUSES = frozenset({"failed", "undelivered", "canceled"})
_MAX_LISTED = 50
_SID_LENGTH = 34
_CLOCK_SKEW = timedelta(minutes=2)
"""By how much Twilio's clock and ours may differ."""


def make_channel(sms: Sms) -> Channel:
    def deliver(twilio: Any, notification: Notification, number: str) -> str:
        if _is_service(sms.from_number):
            message = twilio.messages.create(
                body=notification.text, messaging_service_sid=sms.from_number, to=number
            )
        else:
            message = twilio.messages.create(body=notification.text, from_=sms.from_number, to=number)
        return str(message.sid)

    def find_sent(twilio: Any, notification: Notification, number: str) -> str | None:
        return find_message(twilio, sms, notification, number)

    return Channel(deliver=deliver, read_report=read_report, find_sent=find_sent)


def find_message(twilio: Any, sms: Sms, notification: Notification, number: str) -> str | None:
    """Find a message that Twilio took in an earlier attempt, though its answer did not arrive."""
    if notification.attempted_at is None:
        return None
    # Not filtered by DateSent, which a message does not have while it is queued. The latest come first.
    sender = {} if _is_service(sms.from_number) else {"from_": sms.from_number}
    listed = twilio.messages.list(to=number, limit=_MAX_LISTED, page_size=_MAX_LISTED, **sender)
    texts = (*notification.attempted_texts, notification.text)
    earliest = notification.attempted_at - _CLOCK_SKEW
    for message in listed:
        # A trial account's messages begin with a sentence of Twilio's.
        is_ours = str(message.body).endswith(texts)
        if is_ours and message.date_created >= earliest and message.status not in _FAILED_STATUSES:
            return str(message.sid)
    return None


def read_report(twilio: Any, sid: str) -> DeliveryReport:
    """Ask what became of a message: carriers refuse some after Twilio accepted them, as with error 30007."""
    message = twilio.messages(sid).fetch()
    if message.status in _FAILED_STATUSES:
        reason = f"Twilio {message.error_code}" if message.error_code else "Twilio"
        text = " ".join(str(message.error_message or "").split())
        return DeliveryReport(
            DeliveryState.FAILED, f"{reason}: the message is {message.status}" + (f": {text}" if text else "")
        )
    is_delivered = message.status in _DELIVERED_STATUSES
    return DeliveryReport(DeliveryState.DELIVERED if is_delivered else DeliveryState.PENDING)


def _is_service(sender: str) -> bool:
    """Whether it is the SID of a messaging service; a sender id is shorter."""
    return sender.startswith("MG") and len(sender) == _SID_LENGTH
