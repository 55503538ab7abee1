"""Twilio: probe "twilio", which asks for the application's account, and notifier "twilio-sms"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Notifier, Probe, hookimpl
from firstcause_twilio import account, sms
from firstcause_twilio.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if config.sms is None:
        return []
    shares = account.credentials(config).sid == config.sms.account_sid
    return [
        Notifier(
            name="twilio-sms",
            send=sms.Sender(config, config.sms).send,
            stands_on=frozenset({COMPONENT}) if shares else frozenset(),
            timeout=config.timeout * len(config.sms.to) + 2,
        )
    ]
