"""The notifier "twilio-call": rings each number and reads the message out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause import Notification
    from firstcause_twilio.config import Call

_PAUSE_S = 1


def make_caller(call: Call) -> Callable[[Any, Notification, str], Any]:
    """For `Sender`: makes one call. It is told once Twilio has taken it, whether or not somebody answers."""

    def deliver(twilio: Any, notification: Notification, number: str) -> Any:
        twiml = build_twiml(notification.text, call)
        return twilio.calls.create(twiml=twiml, from_=call.from_number, to=number)

    return deliver


def build_twiml(text: str, call: Call) -> str:
    """TwiML that says the text, waits a second and says it again: whoever is woken misses the first half."""
    # Half a second of import that a command which never sends should not pay.
    from twilio.twiml.voice_response import VoiceResponse  # noqa: PLC0415

    # The library escapes, but what XML cannot hold at all it would send, and Twilio refuse.
    speech = "".join(char if char.isprintable() else " " for char in text)
    response = VoiceResponse()
    response.say(speech, language=call.language, voice=call.voice)
    response.pause(length=_PAUSE_S)
    response.say(speech, language=call.language, voice=call.voice)
    return str(response)
