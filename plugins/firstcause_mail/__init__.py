"""Notifier "mail": each notification as a mail, by SMTP; what belongs to one incident is one thread."""

from __future__ import annotations

from firstcause import Notifier, hookimpl
from firstcause_mail.config import Config
from firstcause_mail.sender import Sender

__all__ = ["Config", "firstcause_notifiers"]

_TIMEOUT_FACTOR = 3


@hookimpl
def firstcause_notifiers(config: Config) -> list[Notifier]:
    if config.host is None:
        return []
    # `timeout` is for one answer of the server, of which a mail needs about ten; most are fast.
    return [Notifier(name="mail", send=Sender(config).send, timeout=config.timeout * _TIMEOUT_FACTOR)]
