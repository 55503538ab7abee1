"""How many messages a notifier may send within a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def earliest_send_time(
    sent_times: Sequence[datetime], now: datetime, max_messages: int, period_s: float
) -> datetime:
    """When the next message may be sent: now, or when so many of those sent are old enough.

    sent: when messages were sent, the oldest first. most: within any `per` seconds.
    """
    window = timedelta(seconds=period_s)
    recent = [sent_at for sent_at in sent_times if sent_at > now - window]
    return now if len(recent) < max_messages else recent[len(recent) - max_messages] + window
