from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firstcause import Event, IntakeError, IntakeResult, parse_items
from firstcause.intake.plugin_events import sanitize_events

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def event(**fields: object) -> Event:
    return Event.model_validate({"id": "1", "time": NOW, "code": "A", **fields})


def test_what_no_store_holds_is_taken_out_and_what_is_to_come_is_now() -> None:
    (one,) = sanitize_events(
        IntakeResult([event(message="a\x00b\ud800", time=NOW + timedelta(hours=1), details={"x": ["\x00"]})]),
        now=NOW,
        max_event_bytes=10_000,
    ).events
    assert (one.message, one.time) == ("a\ufffdb\ufffd", NOW)
    assert one.details == {"x": ["\ufffd"], "sent_time": (NOW + timedelta(hours=1)).isoformat()}


def test_one_that_is_too_large_is_rejected_and_the_others_are_taken() -> None:
    events = [event(id="2", message="x" * 2000), event()]
    parsed = sanitize_events(IntakeResult(events), now=NOW, max_event_bytes=1000)
    assert [each.id for each in parsed.events] == ["1"]
    assert [(each.index, each.status) for each in parsed.rejected] == [(0, 413)]


def test_rejections_name_the_places_in_the_request() -> None:
    def parse(_index: int, item: str) -> Event | list[Event] | str:
        if item == "bad":
            raise IntakeError("it is bad", 400)
        if item == "twice":
            return [event(id="a"), event(id="b", message="x" * 2000)]
        return event(id=item) if item == "good" else item

    result = parse_items(["info", "bad", "good", "info", "twice", "bad"], parse)
    assert result.ignored == {"info": 2}
    parsed = sanitize_events(result, now=NOW, max_event_bytes=1000)
    assert [each.id for each in parsed.events] == ["good", "a"]
    assert [(each.index, each.status) for each in parsed.rejected] == [(1, 400), (4, 413), (5, 400)]
    with pytest.raises(ValueError, match="2 positions for 1 events"):
        IntakeResult([event()], positions=[1, 2])


def test_nobody_speaks_for_our_probes_and_drills() -> None:
    (one,) = sanitize_events(
        IntakeResult([event(probe="redis", drill=True)]), now=NOW, max_event_bytes=1000
    ).events
    assert (one.probe, one.drill) == (None, False)
