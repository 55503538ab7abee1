"""Twilio: probe "twilio" for the application's account, notifiers "twilio-sms" and "twilio-call"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from firstcause import Notifier, Probe, hookimpl
from firstcause_twilio import call, probe, sms
from firstcause_twilio.config import Config
from firstcause_twilio.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause_twilio.config import SendingAccount
    from firstcause_twilio.sender import Channel

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
            check=lambda: probe.check_account(config),
            code=probe.API_FAILURE_CODE,
            interval=config.interval,
            timeout=config.timeout + 2,
        )
    ]


@hookimpl
def firstcause_notifiers(config: Config) -> Sequence[Notifier]:
    notifiers = []
    if config.sms is not None:
        notifiers.append(_build_notifier("twilio-sms", config, config.sms, sms.make_channel(config.sms)))
    if config.call is not None:
        call_notifier = _build_notifier("twilio-call", config, config.call, call.make_channel(config.call))
        # A phone that rings at night for every warning is soon switched off: a route must ask for it.
        notifiers.append(replace(call_notifier, default=False))
    return notifiers


def _build_notifier(
    name: str,
    config: Config,
    sending_account: SendingAccount,
    channel: Channel,
) -> Notifier:
    shares_account = probe.read_credentials(config).sid == sending_account.account_sid
    sender = Sender(config, sending_account, channel)
    return Notifier(
        name=name,
        send=sender.send,
        find_sent=sender.find_sent if channel.find_sent is not None else None,
        check_delivery=sender.check_delivery,
        depends_on=frozenset({COMPONENT}) if shares_account else frozenset(),
        timeout=config.timeout * len(sending_account.to) + 2,
    )
