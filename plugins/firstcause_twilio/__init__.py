"""Twilio: probe "twilio" for the application's account, notifiers "twilio-sms" and "twilio-call"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firstcause import Notifier, Probe, hookimpl
from firstcause_twilio import account, call, sms
from firstcause_twilio.config import Config
from firstcause_twilio.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstcause import Notification
    from firstcause_twilio.config import Own

__all__ = ["Config", "firstcause_notifiers", "firstcause_probes"]

COMPONENT = "twilio"


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if config.env_file is None and config.account_sid is None:
        return []
    return [
        Probe(
            name="twilio",
            component=COMPONENT,
            check=lambda: account.look(config),
            code=account.CODE,
            interval=config.interval,
            timeout=config.timeout + 2,
        )
    ]


@hookimpl
def firstcause_notifiers(config: Config) -> Sequence[Notifier]:
    notifiers = []
    if config.sms is not None:
        notifiers.append(_notifier("twilio-sms", config, config.sms, sms.writer(config.sms)))
    if config.call is not None:
        ringing = _notifier("twilio-call", config, config.call, call.ringer(config.call))
        # A phone that rings at night for every warning is soon switched off: a route must ask for it.
        notifiers.append(replace(ringing, default=False))
    return notifiers


def _notifier(name: str, config: Config, own: Own, tell: Callable[[Any, Notification, str], Any]) -> Notifier:
    shares = account.credentials(config).sid == own.account_sid
    return Notifier(
        name=name,
        send=Sender(config, own, tell).send,
        stands_on=frozenset({COMPONENT}) if shares else frozenset(),
        timeout=config.timeout * len(own.to) + 2,
    )
