"""Notifier "console": writes to the daemon's standard error, where nothing better is configured."""

from __future__ import annotations

import sys

from pydantic import BaseModel, ConfigDict

from firstcause import Notification, Notifier, hookimpl


class Config(BaseModel):
    """`[plugins.console]`. full: the whole debug report, not just the one line."""

    model_config = ConfigDict(extra="forbid")

    full: bool = False


@hookimpl
def firstcause_notifiers(config: Config) -> list[Notifier]:
    def send(notification: Notification) -> None:
        sys.stderr.write(f"{notification.body if config.full else notification.text}\n")
        sys.stderr.flush()

    return [Notifier(name="console", send=send, last_resort=True)]
