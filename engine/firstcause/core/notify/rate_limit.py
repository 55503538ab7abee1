"""The rate limit of a notifier: how many messages it may send within a period."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def earliest_send_time(
    sent_times: Sequence[datetime], now: datetime, max_messages: int, period_s: float
) -> datetime:
    """Compute when the next message may be sent: `now`, or when enough of the sent ones left the window.

    sent_times: the oldest first.
    max_messages: how many may be sent within any `period_s` seconds.
    """
    window = timedelta(seconds=period_s)
    recent = [sent_at for sent_at in sent_times if sent_at > now - window]
    return now if len(recent) < max_messages else recent[len(recent) - max_messages] + window
