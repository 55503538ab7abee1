"""Notifier "apprise": the hundred services that the library Apprise knows, each by a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Notifier, hookimpl, require_library
from firstcause_apprise.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Config", "firstcause_notifiers"]


@hookimpl
def firstcause_notifiers(config: Config) -> Sequence[Notifier]:
    if not config.urls:
        return []
    require_library("apprise", "firstcause[apprise]")
    from firstcause_apprise.sender import Sender  # noqa: PLC0415 - it needs the library

    sender = Sender(config)
    return [Notifier(name="apprise", send=sender.send, timeout=config.timeout * len(sender.services) + 2)]
