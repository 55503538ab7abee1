from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.privacy.test_masking import MASKED_TEXTS
from firstcause.core.privacy.masking import Mask
from firstcause.intake import fast_path, native_format
from firstcause.intake.event_fields import MAX_FIELDS, MAX_TEXT_LENGTH

if TYPE_CHECKING:
    from firstcause.core.model import Event
    from firstcause.hookspecs.types import RejectedItem

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRETS = ("s3cr3t/value", 'a"quote\\d', "two\nlines", "größe-1", "colon:inside")
MASK = Mask(SECRETS)
PIECES = (
    "password", "Pass", "pwd", "secret", "token", "tokens", "api_key", "apiKey", "auth", "session", "cookie",
    "=", ":", " = ", '"', "'", "\\", "/", "\n", "\t", ">", "=>", "-", "--", "_", ".", "@", "://",
    "user", "x9",
    "Bearer ", "Basic ", "eyJhbGciOiJIUzI1NiJ9", "AKIAABCDEFGHIJKLMNOP", "SK" + "0a" * 16, "AC" + "0a" * 16,
    "ghp_" + "a1" * 10, "sk-" + "a1" * 10, "-----BEGIN PRIVATE KEY-----", "4111111111111111",
    "4111 1111 1111 1111", "378282246310005", "\u212a", "\u0130", "ß", " ", "value", "null",
    *SECRETS,
)  # fmt: skip
words = st.sampled_from(
    ["DISK_FULL", "acme", "request 17 took 3 ms", "/orders/17", "duplicate key", "größer"]
)
texts = (
    words | words | words | st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=9)
)
numbers = (
    st.integers() | st.floats(allow_nan=False) | st.sampled_from([4111111111111111, 4.111111111111111e15])
)
plain = texts | numbers | st.booleans() | st.none()
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
times = st.sampled_from(
    ["2026-11-25T10:00:00Z", "2026-11-25T10:00:00.123456+05:30", "2026-11-25 10:00", "2027-01-01T00:00:00Z",
     "2026-13-01T00:00:00Z", "2026-11-25T10:00:00.123456789Z",
     "2027-01-01T00:00:00.5+05:30", "2026-11-25T10:00:60Z", "soon", 1764000000, "1764000000"]
)  # fmt: skip
flat = plain | st.lists(plain, max_size=2) | st.dictionaries(texts, plain, max_size=2)
fields = {
    "code": texts,
    "message": texts,
    "id": texts,
    "time": times,
    "sent_at": times,
    "severity": st.sampled_from(["WARNING", "error", "Critical", "cRiT"]),
    "tenant": texts | st.none(),
    "service": texts | st.none(),
    "details": st.dictionaries(texts, flat, max_size=3),
    "source": st.fixed_dictionaries({}, optional={"file": texts, "line": st.integers(), "query": texts}),
    "stack": texts,
    "tags": st.dictionaries(texts, texts, max_size=3),
    "resolved": st.booleans(),
}
odd = {name: each | values for name, each in fields.items()} | {"extra": values, "region": plain}
some = {"code": fields["code"], "message": fields["message"]}
events = (
    st.fixed_dictionaries(some, optional={name: fields[name] for name in ("details", "time", "tenant")})
    | st.fixed_dictionaries({}, optional=fields)
    | st.fixed_dictionaries({}, optional=odd)
)
bodies = st.builds(
    lambda sent, tight, ascii_only: json.dumps(
        sent, separators=(",", ":") if tight else None, ensure_ascii=ascii_only
    ).encode("utf-8", "replace"),
    events | st.lists(events, max_size=2) | plain,
    st.booleans(),
    st.booleans(),
)


def slowly(body: bytes) -> tuple[list[Event], list[RejectedItem]]:
    """As `native_format` reads it and the mask leaves it."""
    numbers = iter(range(100))
    parsed = native_format.parse(
        body, "", now=NOW, new_id=lambda: f"key-{next(numbers)}", max_event_bytes=1_000_000
    )
    return [MASK.mask_event(each) for each in parsed.events], parsed.rejected


def quickly(body: bytes) -> list[Event] | None:
    if not MASK.surely_clean(body) or (count := fast_path.count_events(body, 1000)) is None:
        return None
    found = fast_path.decode_events(body, "key", NOW)
    assert len(found) == count
    return found


def without_ids(listed: list[Event]) -> list[Event]:
    """Those that a sender gave stay."""
    return [each.model_copy(update={"id": ""}) if each.id.startswith("key-") else each for each in listed]


@settings(max_examples=1500, deadline=None)
@given(bodies)
@example(b'{"code": "A", "code": "B", "details": {"x": 1, "x": 2}}')
@example(b'{"code": "A", "details": {"p.a-s s_w o r d": "x"}}')
@example('{"code": "A", "details": {"to\u212aen": "x"}}'.encode())
@example(b'{"code": "A", "details": {"n": 4.111111111111111e15}}')
@example(b'{"code": "A", "details": {"n": -0, "m": -0.0, "big": 123456789012345678901234567890}}')
@example(b'{"code": "A", "time": "2027-01-01T00:00:00Z", "details": {"a": 1}}')
@example(b'{"code": "A", "message": "x", "id": "7", "service": "s", "tenant": "t"}')
@example(b'{"code": "   ", "message": "m"}')
@example('{"code": "\u2003", "message": "m"}'.encode())
def test_what_is_kept_as_it_came_is_what_reading_and_masking_would_have_made(body: bytes) -> None:
    found = quickly(body)
    if found is not None:
        expected, rejected = slowly(body)
        assert rejected == []
        assert without_ids(found) == without_ids(expected)


@pytest.mark.parametrize(("text", "secrets"), MASKED_TEXTS, ids=[text[:40] for text, _ in MASKED_TEXTS])
def test_no_text_with_a_secret_is_called_harmless(text: str, secrets: tuple[str, ...]) -> None:
    _ = secrets
    for ascii_only in (True, False):
        body = json.dumps({"message": f"x {text}"}, ensure_ascii=ascii_only).encode("utf-8", "replace")
        assert not Mask().surely_clean(body)


@settings(max_examples=1500, deadline=None)
@given(values)
def test_what_is_harmless_is_left_as_it_is_by_masking(value: Any) -> None:
    body = json.dumps({"details": value}, ensure_ascii=False).encode("utf-8", "replace")
    if MASK.surely_clean(body):
        details = json.loads(body)["details"]
        assert json.dumps(MASK.mask_data({"details": details})) == json.dumps({"details": details})


@pytest.mark.parametrize(
    "sent",
    [
        {"code": "DISK_FULL", "service": "store", "tenant": "acme", "severity": "CRITICAL"},
        {"message": "request 17 took 4100 ms on 10.0.3.7, limit 200 ms", "details": {"attempt": 3}},
        {"code": "KEY_ERROR", "message": 'duplicate key value violates unique constraint "users_pk"'},
        {"code": "A", "tenant": None, "time": "2026-11-25T10:00:00Z", "tags": {"env": "prod"}, "id": "7"},
        {"code": "A", "message": "grüße an alle", "stack": 'Traceback\n  File "a.py", line 3'},
    ],
)  # fmt: skip
def test_ordinary_errors_are_kept_as_they_came(sent: dict[str, Any]) -> None:
    body = json.dumps([sent, sent], ensure_ascii=False).encode()
    assert MASK.surely_clean(body)
    assert fast_path.count_events(body, 2) == 2
    assert fast_path.count_events(body, 1) is None, "more than one parcel holds"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b"[1]", b"{", b'[{"code": "A"}', b"\xff", b'{"code":"A"}\n{"code":"B"}'],
)
def test_what_it_cannot_read_is_left_to_the_other(body: bytes) -> None:
    assert fast_path.count_events(body, 1000) is None


@pytest.mark.parametrize(
    "sent",
    [
        {"message": "x" * (MAX_TEXT_LENGTH + 1)},
        {"code": "A", "stack": "x" * (MAX_TEXT_LENGTH + 1)},
        {"code": "A", "details": {"a": "x" * (MAX_TEXT_LENGTH + 1)}},
        {"code": "A", "details": {str(number): 1 for number in range(MAX_FIELDS + 1)}},
        {"code": "A", "details": {"a": [1] * (MAX_FIELDS + 1)}},
        {"code": "A", "tags": {str(number): "1" for number in range(MAX_FIELDS + 1)}},
        {"code": "A", "details": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}},
        {"code": "A", "details": {"x" * (MAX_TEXT_LENGTH + 1): 1}},
        {"code": "A", "region": "x" * (MAX_TEXT_LENGTH + 1)},
        {"code": "A", "region": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
    ],
    ids=[
        "a long message",
        "a long stack",
        "a long detail",
        "many details",
        "a long list",
        "many tags",
        "deep",
        "a long name",
        "a long field that the table has not",
        "a deep field that the table has not",
    ],
)
def test_what_is_over_a_limit_is_left_to_the_other(sent: dict[str, Any]) -> None:
    assert fast_path.count_events(json.dumps(sent).encode(), 1000) is None
