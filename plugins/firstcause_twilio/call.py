"""The notifier "twilio-call": rings each number and reads the message out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause import Notification
    from firstcause_twilio.config import Call

_PAUSE_S = 1


def make_caller(call: Call) -> Callable[[Any, Notification, str], Any]:
    """Make the function that places one call. Delivered means accepted by Twilio; a person may not answer."""

    def deliver(twilio: Any, notification: Notification, number: str) -> Any:
        twiml = build_twiml(notification.text, call)
        return twilio.calls.create(twiml=twiml, from_=call.from_number, to=number)

    return deliver


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
