from __future__ import annotations

from datetime import UTC, datetime, timedelta

from firstcause.core.model import Event
from firstcause.intake.plugin_events import sanitize_events

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def event(**fields: object) -> Event:
    return Event.model_validate({"id": "1", "time": NOW, "code": "A", **fields})


def test_what_no_store_holds_is_taken_out_and_what_is_to_come_is_now() -> None:
    (one,) = sanitize_events(
        [event(message="a\x00b\ud800", time=NOW + timedelta(hours=1), details={"x": ["\x00"]})],
        now=NOW,
        max_event_bytes=10_000,
    ).events
    assert (one.message, one.time) == ("a\ufffdb\ufffd", NOW)
    assert one.details == {"x": ["\ufffd"], "sent_time": (NOW + timedelta(hours=1)).isoformat()}


def test_one_that_is_too_large_is_rejected_and_the_others_are_taken() -> None:
    parsed = sanitize_events([event(id="2", message="x" * 2000), event()], now=NOW, max_event_bytes=1000)
    assert [each.id for each in parsed.events] == ["1"]
    assert [(each.index, each.status) for each in parsed.rejected] == [(0, 413)]


def test_nobody_speaks_for_our_probes_and_drills() -> None:
    (one,) = sanitize_events([event(probe="redis", drill=True)], now=NOW, max_event_bytes=1000).events
    assert (one.probe, one.drill) == (None, False)
