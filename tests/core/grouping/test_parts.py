"""When a part of an alert is over that nobody reports any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from firstcause.core.downtime import Downtime
from firstcause.core.grouping.parts import Patience
from firstcause.core.model import FoldedPart

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_downtime_of_ours_is_no_silence_of_the_sender() -> None:
    downtime = Downtime(time(100), time(5100))
    patience = Patience(silent_s=3600, announced_s=7200, downtimes=(downtime,))
    assert patience.compute_end(FoldedPart(received_at=START)) == time(3600 + 5000)
    announced = FoldedPart(received_at=START, announces_end=True)
    assert patience.compute_end(announced) == time(7200 + 5000)
    expiring = FoldedPart(received_at=START, expires_at=time(240))
    assert patience.compute_end(expiring) == time(240 + 5000)
    assert patience.compute_end(FoldedPart(received_at=time(6000))) == time(6000 + 3600)
