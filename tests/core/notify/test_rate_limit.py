from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.notify.rate_limit import earliest_send_time

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_oldest_message_makes_room_when_it_leaves_the_window() -> None:
    sent = [at(0), at(10)]
    assert earliest_send_time(sent, at(20), 3, 60) == at(20)
    assert earliest_send_time(sent, at(20), 2, 60) == at(60)
    assert earliest_send_time(sent, at(60), 2, 60) == at(60)


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 5), st.integers(1, 100))
def test_no_window_ever_holds_more_than_the_limit(wanted: list[int], most: int, per: int) -> None:
    sent: list[datetime] = []
    for moment in sorted(wanted):
        if earliest_send_time(sent, at(moment), most, per) <= at(moment):
            sent.append(at(moment))
    for first in sent:
        assert sum(first <= sent_at < first + timedelta(seconds=per) for sent_at in sent) <= most
