"""The notifier "twilio-call": rings each number and reads the message out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause import DeliveryReport, DeliveryState
from firstcause_twilio.sender import Channel

if TYPE_CHECKING:
    from firstcause import Notification
    from firstcause_twilio.config import Call

_PAUSE_S = 1
_FAILED_STATUSES = frozenset({"busy", "no-answer", "failed", "canceled"})


def make_channel(call: Call) -> Channel:
    """Twilio tells of no call what it said, so that a call in doubt cannot be told from another one."""

    def deliver(twilio: Any, notification: Notification, number: str) -> str:
        twiml = build_twiml(notification.text, call)
        return str(twilio.calls.create(twiml=twiml, from_=call.from_number, to=number).sid)

    return Channel(deliver=deliver, read_report=read_report)


def read_report(twilio: Any, sid: str) -> DeliveryReport:
    """Ask what became of a call. One that nobody answered has told nobody."""
    status = twilio.calls(sid).fetch().status
    if status in _FAILED_STATUSES:
        return DeliveryReport(DeliveryState.FAILED, f"the call was not answered: {status}")
    return DeliveryReport(DeliveryState.DELIVERED if status == "completed" else DeliveryState.PENDING)


def build_twiml(text: str, call: Call) -> str:
    """Build TwiML that reads the text twice, a second apart: who was asleep misses the first half."""
    # The import takes half a second, which a command that never sends should not pay.
    from twilio.twiml.voice_response import VoiceResponse  # noqa: PLC0415

    # The library escapes, but what XML cannot hold at all it would send, and Twilio refuse.
    speech = "".join(char if char.isprintable() else " " for char in text)
    response = VoiceResponse()
    response.say(speech, language=call.language, voice=call.voice)
    response.pause(length=_PAUSE_S)
    response.say(speech, language=call.language, voice=call.voice)
    return str(response)
