"""What plugins read is stored within our limits, and the quick way stores what the slow one defines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.privacy.test_prefilter import SECRETS, texts, values
from firstcause import Event, IntakeError, IntakeResult, Severity, Source, parse_items
from firstcause.core.privacy.masking import Mask
from firstcause.intake import event_packer
from firstcause.intake.event_fields import MAX_FIELDS, MAX_TEXT_LENGTH
from firstcause.intake.event_packer import EventPacker, PackedRequest
from firstcause.store.inbox import MAX_PAYLOAD_EVENTS, event_list_adapter

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MASK = Mask(SECRETS)


def event(**fields: object) -> Event:
    return Event.model_validate({"id": "1", "time": NOW, "code": "A", **fields})


def pack(result: IntakeResult, max_event_bytes: int = 10_000, **overrides: str) -> PackedRequest:
    packer = EventPacker(MASK, NOW, max_event_bytes, overrides)
    packer.add_plugin_events(result)
    return packer.finish()


def pack_slowly(result: IntakeResult, max_event_bytes: int = 10_000, **overrides: str) -> PackedRequest:
    with patch.object(event_packer, "encode_plain", return_value=None):
        return pack(result, max_event_bytes, **overrides)


def stored(packed: PackedRequest) -> list[Event]:
    return [each for payload in packed.payloads for each in event_list_adapter.validate_json(payload.body)]


def test_what_no_store_holds_is_taken_out_and_what_is_to_come_is_now() -> None:
    late = NOW + timedelta(hours=1)
    sent = event(message="a\x00b\ud800", time=late, details={"x": ["\x00"]})
    (one,) = stored(pack(IntakeResult([sent])))
    assert (one.message, one.time) == ("a\ufffdb\ufffd", NOW)
    assert one.details == {"x": ["\ufffd"], "sent_time": late.isoformat()}


def test_one_that_is_too_large_is_rejected_and_the_others_are_taken() -> None:
    packed = pack(IntakeResult([event(id="2", message="x" * 2000), event()]), 1000)
    assert (packed.ids, [each.id for each in stored(packed)]) == (["1"], ["1"])
    assert [(each.index, each.status) for each in packed.rejected] == [(0, 413)]


def test_rejections_name_the_places_in_the_request() -> None:
    def parse(_index: int, item: str) -> Event | list[Event] | str:
        if item == "bad":
            raise IntakeError("it is bad", 400)
        if item == "twice":
            return [event(id="a"), event(id="b", message="x" * 2000)]
        return event(id=item) if item == "good" else item

    result = parse_items(["info", "bad", "good", "info", "twice", "bad"], parse)
    assert result.ignored == {"info": 2}
    packed = pack(result, 1000)
    assert packed.ids == ["good", "a"]
    assert [(each.index, each.status) for each in packed.rejected] == [(1, 400), (4, 413), (5, 400)]
    with pytest.raises(ValueError, match="2 positions for 1 events"):
        IntakeResult([event()], positions=[1, 2])


def test_nobody_speaks_for_our_probes_and_drills() -> None:
    sent = event(probe="redis", drill=True, ends_alert="f", ends_part="p")
    for packed in (pack(IntakeResult([sent])), pack_slowly(IntakeResult([sent]))):
        (one,) = stored(packed)
        assert (one.probe, one.drill, one.ends_alert, one.ends_part) == (None, False, None, None)


def test_many_events_are_several_payloads_and_only_the_secret_is_masked() -> None:
    sent = [event(id=f"{number}") for number in range(MAX_PAYLOAD_EVENTS + 5)]
    sent[7] = event(id="7", message="cannot log in with password=hunter22", details={"order": [17]})
    packed = pack(IntakeResult(sent))
    assert [payload.event_count for payload in packed.payloads] == [MAX_PAYLOAD_EVENTS, 5]
    listed = stored(packed)
    assert [each.id for each in listed] == packed.ids == [each.id for each in sent]
    assert listed[7].message == "cannot log in with password=[masked]"
    assert listed[7].details == {"order": [17]}


def test_a_token_names_the_source_of_all_events() -> None:
    odd = event(service="web", message="\x00")
    for packed in (pack(IntakeResult([event(service="web"), odd]), service="checkout", tenant="acme"),):
        assert [(each.service, each.tenant) for each in stored(packed)] == [("checkout", "acme")] * 2


class OddText(str):
    """A text of a type of its own, as a plugin may have it."""

    __slots__ = ()


odd_values = st.sampled_from(
    [float("nan"), float("inf"), 1e22, -0.0, 2**70, "\x00", "a\ud800b", (1, 2), {3: "x"}, {None: 1},
     {True: 1}, datetime(2026, 1, 1, tzinfo=UTC), b"bytes", OddText("odd"), Severity.INFO, "\\u0000",
     "\u2028"]
)  # fmt: skip
odd_details = st.recursive(
    odd_values | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


def nest(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


plugin_events = st.builds(
    lambda fields: event(**fields),
    st.fixed_dictionaries(
        {
            "id": texts,
            "time": st.integers(-10_000_000, 1000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        },
        optional={
            "code": texts,
            "message": texts | st.just(""),
            "severity": st.sampled_from(Severity),
            "tenant": texts,
            "service": texts,
            "details": st.dictionaries(texts, odd_details, max_size=3)
            | st.sampled_from([nest(10), nest(21), nest(26), nest(33), {"a": [0] * (MAX_FIELDS + 1)}]),
            "source": st.builds(Source, file=texts, line=st.integers(), query=st.none() | texts),
            "stack": texts | st.just("") | st.just("x" * (MAX_TEXT_LENGTH + 7)),
            "tags": st.dictionaries(texts, texts, max_size=3),
            "labels": st.dictionaries(texts, texts, max_size=2),
            "resolved": st.booleans(),
            "announces_end": st.booleans(),
            "expires_at": st.just(NOW),
            "sent_at": st.sampled_from([NOW, NOW - timedelta(hours=1), NOW + timedelta(days=1)]),
            "drill": st.booleans(),
            "grouping": st.lists(texts, max_size=2),
        },
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(plugin_events, max_size=3), st.sampled_from([300, 700, 10_000, 1 << 20]), st.booleans())
@example([event(message="password=hunter22", stack="")], 10_000, True)
def test_the_quick_way_stores_what_the_slow_way_defines(
    sent: Sequence[Event], max_event_bytes: int, has_token: bool
) -> None:
    overrides = {"service": "checkout"} if has_token else {}
    result = IntakeResult(sent)
    quick = pack(result, max_event_bytes, **overrides)
    slow = pack_slowly(result, max_event_bytes, **overrides)
    assert (quick.ids, quick.rejected) == (slow.ids, slow.rejected)
    assert repr(stored(quick)) == repr(stored(slow))


def test_ordinary_events_take_the_quick_way() -> None:
    sent = event(
        details={"labels": {"a": "b"}, "n": [1, 2.5, None, True]}, source=Source(file="a.py", line=3)
    )
    with patch.object(event_packer, "sanitize_event", side_effect=AssertionError):
        (payload,) = pack(IntakeResult([sent] * 3)).payloads
    assert json.loads(payload.body)[2]["source"] == {"file": "a.py", "line": 3}
