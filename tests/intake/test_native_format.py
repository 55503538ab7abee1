"""firstcause's own format: what is taken, what is refused and in which words."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.model import Event, Severity
from firstcause.errors import IntakeError
from firstcause.intake import fast_path
from firstcause.intake.native_format import ParseResult, parse
from firstcause.pipeline.decoding import decode
from firstcause.store import inbox
from firstcause.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def numbers() -> Callable[[], str]:
    counter = iter(range(10**9))
    return lambda: f"new {next(counter)}"


def read(body: Any, content_type: str = "application/json", limit: int = 1024 * 1024) -> ParseResult:
    raw = (
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else json.dumps(body).encode()
    )
    return parse(raw, content_type, now=NOW, new_id=numbers(), max_event_bytes=limit)


def one(**fields: Any) -> Event:
    parsed = read(fields)
    assert parsed.rejected == []
    return parsed.events[0]


def test_an_object_a_list_and_lines() -> None:
    events = [{"code": "A"}, {"message": "b"}]
    lines = "\n".join(map(json.dumps, events)) + "\n\n"
    for parsed in (
        read(events),
        read(lines, "application/x-ndjson"),
        read(lines),
        read(lines.replace("\n", "\r\n")),
    ):
        assert [(each.code, each.message) for each in parsed.events] == [("A", None), (None, "b")]
    assert [each.code for each in read({"code": "A"}).events] == ["A"]
    assert read([]).events == []


def test_one_bad_event_does_not_lose_the_others() -> None:
    parsed = read([{"code": "A"}, {"severity": "loud", "code": "B"}, 7, {"code": "C"}, {}])
    assert [each.code for each in parsed.events] == ["A", "C"]
    assert [(each.index, each.error.partition(":")[0]) for each in parsed.rejected] == [
        (1, "severity"), (2, "an event is a JSON object, not a number"),
        (4, "give a code or a message that says which error it is"),
    ]  # fmt: skip
    lines = read('{"code": "A"}\n{"code": \n{"code": "C"}', "application/x-ndjson")
    assert [each.code for each in lines.events] == ["A", "C"]
    assert (lines.rejected[0].index, lines.rejected[0].status) == (1, 400)


WRONG = [
    ("code", ["A"]),
    ("code", "A" * 201),
    ("message", {"a": 1}),
    ("severity", "loud"),
    ("tenant", 7),
    ("service", []),
    ("time", "yesterday"),
    ("time", {"now": 1}),
    ("details", "text"),
    ("source", {"line": "seven"}),
    ("stack", 7),
    ("tags", {"a": {"b": 1}}),
    ("resolved", "maybe"),
    ("id", []),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=str)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(field: str, value: Any) -> None:
    (rejected,) = read({"code": "A", field: value}).rejected
    assert rejected.error.startswith(field)
    assert rejected.status == 422
    secret = read({"code": "A", "details": "hunter22"}).rejected[0].error
    assert "hunter22" not in secret


def test_times() -> None:
    assert one(code="A").time == NOW
    assert one(code="A", time="2026-10-31T22:00:00-05:00").time == NOW
    assert one(code="A", time="2026-11-01 03:00:00").time == NOW, "without a zone it is UTC"
    assert one(code="A", time=NOW.timestamp()).time == NOW
    assert one(code="A", time=(NOW + timedelta(minutes=4)).isoformat()).time == NOW + timedelta(minutes=4)
    ahead = one(code="A", time="2030-01-01T00:00:00Z")
    assert (ahead.time, ahead.details) == (NOW, {"sent_time": "2030-01-01T00:00:00+00:00"})
    assert read({"code": "A", "time": "0001-01-01T00:00:00+14:00"}).rejected[0].error.startswith("time")


def test_what_it_does_not_know_is_kept_under_details() -> None:
    event = one(code="A", details={"a": 1}, request={"path": "/x"}, user="ada")
    assert event.details == {"a": 1, "request": {"path": "/x"}, "user": "ada"}


@pytest.mark.parametrize(
    ("said", "meant"), [("error", "WARNING"), ("Fatal", "CRITICAL"), ("info", "INFO"), (" warn ", "WARNING")]
)
def test_severity_in_any_case_and_by_other_names(said: str, meant: str) -> None:
    assert one(code="A", severity=said).severity is Severity(meant)


def test_grouping_is_a_text_or_a_list() -> None:
    assert one(code="A").grouping == ()
    assert one(code="A", grouping="sql-deadlock").grouping == ("sql-deadlock",)
    assert one(code="A", grouping=["{{ default }}", 7]).grouping == ("{{ default }}", "7")
    assert read({"code": "A", "grouping": {"a": 1}}).rejected[0].error.startswith("grouping")
    stored = json.dumps({"code": "A", "grouping": ["a", "b"]}).encode()
    assert fast_path.count_events(stored, 10) == 1
    assert fast_path.decode_events(stored, "k", NOW)[0].grouping == ("a", "b")


def test_ids_of_two_applications_do_not_hide_each_other() -> None:
    ids = {
        one(code="A", id="1", service="a").id,
        one(code="A", id="1", service="b").id,
        one(code="A", id=1).id,
    }
    assert len(ids) == 3
    assert one(code="A", id="1", service="a").id == one(code="B", id=1, service="a").id
    assert len(one(code="A", id="x" * 5000).id) <= 200


def test_what_no_database_takes_is_replaced() -> None:
    event = read(
        b'{"code": "A\\u0000", "message": "a\\ud800b", "details": {"k\\u0000": ["\\udfff"]}}'
    ).events[0]
    assert (event.code, event.message, event.details) == ("A\ufffd", "a\ufffdb", {"k\ufffd": ["\ufffd"]})


def test_one_event_over_the_limit_leaves_the_others() -> None:
    parsed = read([{"code": "A", "message": "x" * 500}, {"code": "B"}], limit=300)
    assert [each.code for each in parsed.events] == ["B"]
    assert (parsed.rejected[0].index, parsed.rejected[0].status) == (0, 413)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\xff{}", "UTF-8"),
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
    ],
)
def test_what_is_no_json_at_all(body: bytes, says: str) -> None:
    with pytest.raises(IntakeError, match=says) as caught:
        read(body)
    assert caught.value.status == 400


def test_too_many_events_at_once() -> None:
    with pytest.raises(IntakeError, match="split it") as caught:
        read(b"[" + b"1," * 100_000 + b"1]")
    assert caught.value.status == 413


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from([*Event.model_fields, "other"])


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    with suppress(IntakeError):
        read(body)


@given(st.lists(st.dictionaries(names, anything, max_size=5), max_size=4))
def test_every_event_is_taken_or_refused_and_what_is_taken_is_whole(sent: list[dict[str, Any]]) -> None:
    parsed = read(sent)
    assert len(parsed.events) + len(parsed.rejected) == len(sent)
    for event in parsed.events:
        assert Event.model_validate_json(event.model_dump_json()).id == event.id


def test_whatever_is_taken_can_be_stored(store_url: str) -> None:
    database = Database(store_url)
    database.prepare()
    hostile = [
        {
            "code": "A",
            "details": {"n": 10**400, "f": 1e308, "s": "\ud800\x00'\"\\", "": None, "deep": [[[[{}]]]]},
        },
        {"message": "\x00", "tags": {"\x00": "\ud800"}, "stack": "\x1b[2J"},
        {"code": "A", "time": "1970-01-01T00:00:00Z", "source": {"file": "\x00"}},
    ]
    events = read(hostile).events
    assert len(events) == 3
    with database.write() as conn:
        inbox.insert_payloads(conn, inbox.pack_events(events), NOW)
    with database.read() as conn:
        (waiting,) = inbox.load_pending(conn, 10).payloads
    assert [each.problem for each in decode(waiting)] == [None] * 3
    database.close()
