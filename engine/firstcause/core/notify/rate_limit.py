"""How many messages a notifier may send within a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def free_at(sent: Sequence[datetime], now: datetime, most: int, per: float) -> datetime:
    """When the next message may be sent: now, or when so many of those sent are old enough.

    sent: when messages were sent, the oldest first. most: within any `per` seconds.
    """
    window = timedelta(seconds=per)
    recent = [each for each in sent if each > now - window]
    return now if len(recent) < most else recent[len(recent) - most] + window
