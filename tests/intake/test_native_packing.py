"""Native events that cannot be stored as they came are packed as `native_format` reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.privacy.test_prefilter import MASK, NOW, bodies, events
from firstcause.errors import IntakeError
from firstcause.intake import fast_path, native_packing
from firstcause.intake.event_packer import EventPacker, PackedRequest
from firstcause.intake.native_format import parse
from firstcause.intake.native_packing import pack_native
from firstcause.store.inbox import event_list_adapter

if TYPE_CHECKING:
    from firstcause.core.model import Event

LINES = "application/x-ndjson"


def pack(body: bytes, content_type: str = "", limit: int = 1 << 20, **overrides: str) -> PackedRequest:
    packer = EventPacker(MASK, NOW, limit, overrides)
    pack_native(packer, body, content_type, now=NOW, new_id=lambda: "new", max_event_bytes=limit)
    return packer.finish()


def stored(packed: PackedRequest) -> list[Event]:
    return [each for payload in packed.payloads for each in event_list_adapter.validate_json(payload.body)]


def answer(body: bytes, content_type: str, limit: int, **overrides: str) -> Any:
    """What a request becomes: the refusal of all of it, or its events and rejections."""
    try:
        packed = pack(body, content_type, limit, **overrides)
    except IntakeError as error:
        return str(error), error.status
    return repr(stored(packed)), packed.ids, packed.rejected


line_bodies = st.lists(
    events.map(lambda sent: json.dumps(sent, ensure_ascii=False).encode("utf-8", "replace"))
    | st.sampled_from([b"", b" ", b"{", b'{"code": "A"} {"code": "B"}', b'[{"code": "A"}]', b"7"]),
    max_size=4,
).flatmap(lambda lines: st.sampled_from([b"\n", b"\r\n", b"\r"]).map(lambda end: end.join(lines)))


@settings(max_examples=150, deadline=None)
@given(bodies | line_bodies, st.sampled_from(["", LINES]), st.sampled_from([120, 1 << 20]), st.booleans())
@example(b'{"code": "A", "time": "2027-01-01T00:00:00+05:30", "region": null}', "", 1 << 20, False)
@example(b'{"code": "A", "stack": "", "tags": {}, "grouping": [], "x": "\\ud800"}', "", 1 << 20, True)
@example(b'{"code": "A", "message": "postgres://app:hunter22@db/x", "severity": "Error"}', "", 1 << 20, False)
def test_the_quick_way_answers_and_stores_as_the_slow_one(
    body: bytes, content_type: str, limit: int, has_token: bool
) -> None:
    overrides = {"service": "checkout", "tenant": "acme"} if has_token else {}
    quick = answer(body, content_type, limit, **overrides)
    with patch.object(native_packing, "read_plain_event", return_value=None):
        assert quick == answer(body, content_type, limit, **overrides)


@settings(max_examples=120, deadline=None)
@given(line_bodies)
@example(b'{"code":"A","details":{"a":[{}\n{"x":1}]}}\n{"code":"A"},{"code":"B"}')
def test_lines_that_are_stored_as_a_list_are_those_that_are_read_line_by_line(body: bytes) -> None:
    joined = fast_path.join_lines(body) if MASK.surely_clean(body) else None
    count = fast_path.count_events(joined, 1000) if joined is not None else None
    if joined is None or count is None:
        return
    parsed = parse(body, LINES, now=NOW, new_id=lambda: "new", max_event_bytes=1 << 20)
    decoded = fast_path.decode_events(joined, "key", NOW)
    assert (len(decoded), parsed.rejected) == (count, [])
    for quick, slow in zip(decoded, parsed.events, strict=True):
        new_id = {"id": slow.id} if quick.id.startswith("key-") else {}
        assert quick.model_copy(update=new_id) == slow


@pytest.mark.parametrize(
    "sent",
    [
        {"code": "A", "region": "eu-1"},
        {"code": "A", "details": {"request": {"headers": {"accept": ["a", "b"]}, "retries": [{"n": 1}]}}},
        {"code": "A", "time": "2026-11-25T10:00:00.123456789Z"},
        {"code": "A", "region": None, "zones": [{"name": "a"}]},
    ],
)
def test_odd_events_are_stored_as_they_came(sent: dict[str, Any]) -> None:
    body = json.dumps([sent, sent]).encode()
    assert fast_path.count_events(body, 10) == 2
    lines = b"\n".join([json.dumps(sent).encode()] * 2)
    joined = fast_path.join_lines(lines)
    assert joined is not None
    assert fast_path.count_events(joined, 10) == 2
    slow = parse(body, "", now=NOW, new_id=lambda: "new", max_event_bytes=1 << 20).events
    quick = fast_path.decode_events(body, "key", NOW)
    assert [each.model_copy(update={"id": "new"}) for each in quick] == slow


def test_events_to_be_masked_and_of_a_token_are_packed_without_a_model_each() -> None:
    sent = {
        "code": "A",
        "message": "at postgres://app:hunter22@db/x",
        "severity": "warn",
        "source": {"line": 3},
    }
    with patch.object(native_packing, "build_event", side_effect=AssertionError):
        (one,) = stored(pack(json.dumps(sent).encode(), service="checkout"))
    assert (one.message, one.service, one.severity) == (
        "at postgres://app:[masked]@db/x",
        "checkout",
        "WARNING",
    )
