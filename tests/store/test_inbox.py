from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from firstcause.core.model import Event, Severity, Source
from firstcause.store import event_log, inbox
from firstcause.store.event_log import EventRecord
from firstcause.store.inbox import AlreadyClaimedError
from firstcause.store.tables import to_json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.store.database import Database
    from firstcause.store.inbox import PendingBatch, PendingPayload

TIME = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def event(name: str, **fields: Any) -> Event:
    return Event(id=name, time=TIME, **fields)


def put(database: Database, events: Sequence[Event], now: datetime = TIME) -> None:
    database.inbox.store(inbox.pack_events(events), now)


def batch(database: Database, limit: int = 1000) -> PendingBatch:
    with database.read() as conn:
        return database.inbox.load_pending(conn, limit)


def parcels(database: Database, limit: int = 1000) -> Sequence[PendingPayload]:
    return batch(database, limit).payloads


def waiting(database: Database, limit: int = 1000) -> list[Event]:
    return [
        one
        for each in parcels(database, limit)
        for one in inbox.event_list_adapter.validate_json(each.payload.body)[
            each.processed : each.processed + each.to_process
        ]
    ]


def ids(events: Sequence[Event]) -> list[str]:
    return [each.id for each in events]


def take(database: Database, taken: PendingBatch) -> None:
    with database.write() as conn:
        taken.mark_processed(conn)


def test_events_wait_in_the_order_in_which_they_came(database: Database) -> None:
    put(database, [event("c"), event("a")])
    put(database, [event("b")])
    assert ids(waiting(database)) == ["c", "a", "b"]
    assert ids(waiting(database, 2)) == ["c", "a"]


def test_no_events_are_no_trouble(database: Database) -> None:
    put(database, [])
    assert waiting(database) == []


def test_an_event_comes_back_as_it_was(database: Database) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    whole = Event(
        id="whole",
        time=datetime(2026, 3, 1, 17, 30, 0, 999999, tzinfo=east),
        code="DB-001",
        message="connection refused\n  at line 2",
        severity=Severity.CRITICAL,
        tenant="acme",
        service="api",
        details={"n": 1.5, "big": 10**30, "deep": [{"x": None}, [True, ""]]},
        source=Source(file="a.py", line=3, function="f", query="SELECT 1"),
        stack="Traceback",
        tags={"env": "prod"},
        resolved=True,
        probe="disk",
    )
    put(database, [whole, event("bare")])
    assert waiting(database) == [whole, event("bare")]


def test_many_events_are_several_parcels_in_order(database: Database) -> None:
    names = [f"e{number}" for number in range(inbox.MAX_PAYLOAD_EVENTS + 1)]
    put(database, [event(name) for name in names])
    assert [each.payload.event_count for each in parcels(database, 10_000)] == [inbox.MAX_PAYLOAD_EVENTS, 1]
    assert ids(waiting(database, 10_000)) == names
    assert ids(waiting(database, inbox.MAX_PAYLOAD_EVENTS)) == names[: inbox.MAX_PAYLOAD_EVENTS]


def test_only_as_much_is_given_out_together_as_memory_should_hold(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        put(database, [event(name, message="x" * 100)])
    monkeypatch.setattr(inbox, "MAX_BATCH_BYTES", 400)
    assert ids(waiting(database)) == ["a", "b"]
    monkeypatch.setattr(inbox, "MAX_BATCH_BYTES", 1)
    assert ids(waiting(database)) == ["a"], "one always, or it would wait for ever"


def test_of_the_first_parcel_a_part_may_be_taken(database: Database) -> None:
    put(database, [event("a"), event("b"), event("c")])
    put(database, [event("d")])
    seen = []
    while (found := batch(database, 1)).payloads:
        seen += ids(waiting(database, 1))
        take(database, found)
    assert seen == ["a", "b", "c", "d"]


def test_what_waits_is_counted_by_event(database: Database) -> None:
    put(database, [event("a"), event("b")])
    put(database, [event("c")])
    take(database, batch(database, 1))
    with database.read() as conn:
        assert database.inbox.count_pending(conn) == 2


def test_what_waits_is_measured(database: Database) -> None:
    def bytes_waiting() -> int:
        with database.read() as conn:
            return database.inbox.pending_bytes(conn)

    assert bytes_waiting() == 0
    chance = random.Random(1)
    put(database, [event("a", message=chance.randbytes(5000).hex()), event("b")])
    both = bytes_waiting()
    put(database, [event("c", message=chance.randbytes(5000).hex())])
    assert 5000 < both < 12_000
    assert 1.5 * both < bytes_waiting() < 2.5 * both
    while (found := batch(database)).payloads:
        take(database, found)
    assert bytes_waiting() == 0


def test_what_another_took_is_not_taken_again(database: Database) -> None:
    put(database, [event("a"), event("b")])
    mine = batch(database)
    take(database, batch(database, 1))
    with pytest.raises(AlreadyClaimedError):
        take(database, mine)
    assert ids(waiting(database)) == ["b"], "it was counted from another place on"
    take(database, batch(database))
    put(database, [event("c")])
    with pytest.raises(AlreadyClaimedError):
        take(database, mine)
    assert ids(waiting(database)) == ["c"], "another parcel, though SQLite gives it the same number"


def test_the_history_knows_what_is_in_it(database: Database) -> None:
    names = [f"e{number}" for number in range(1203)]
    with database.write() as conn:
        event_log.append(conn, [], TIME)
        event_log.append(
            conn, [EventRecord(name, inbox.encode_event(event(name)), "print") for name in names], TIME
        )
        assert event_log.find_existing(conn, []) == set()
        assert event_log.find_existing(conn, [*names, "another"]) == set(names)
        (batch,) = event_log.iter_batches(conn, TIME)
    assert (batch.triaged_at, ids(batch.events)) == (TIME, names)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f600 \U0010ffff",
        "e\u0301 \u00e9 \u202eback\u202c \ufeff \ufffe \u2028",
        "\x01\x1b[31m\x7f\x85\r\n\t",
        "back\\slash \\u0000 \\ud800 \"quote\" 'quote' %s :name {}",
        "",
    ],
)
def test_unusual_text_comes_back_as_it_was(database: Database, text: str) -> None:
    sent = event(f"id {text}", message=text, details={text: [text]}, tags={text: text})
    put(database, [sent])
    assert waiting(database) == [sent]


@pytest.mark.parametrize("bad", ["\x00", *map(chr, (0xD800, 0xDFFF))])
def test_what_postgres_cannot_store_becomes_a_mark_everywhere(database: Database, bad: str) -> None:
    text, shown = f"a{bad}b", "a\ufffdb"
    sent = event(text, message=text, details={"k": [text, {"in": text}]}, tags={"k": text})
    put(database, [event("before"), sent, event("after")])
    assert waiting(database) == [
        event("before"),
        event(shown, message=shown, details={"k": [shown, {"in": shown}]}, tags={"k": shown}),
        event("after"),
    ]


def test_nul_in_a_key_becomes_a_mark_too(database: Database) -> None:
    put(database, [event("a", details={"\x00": {"\x00": 1}}, tags={"\x00": "v"})])
    expected = event("a", details={"\ufffd": {"\ufffd": 1}}, tags={"\ufffd": "v"})
    assert waiting(database) == [expected]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["\x00", "\ud800", "\\u0000", "NaN", 10**30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
moments = st.builds(
    lambda since, hours: (TIME + since).astimezone(timezone(timedelta(hours=hours))),
    st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
    st.sampled_from([0, -9.5]),
)


@settings(deadline=None)
@given(
    st.builds(
        Event,
        id=st.text(),
        time=moments,
        message=st.none() | st.text(),
        severity=st.none() | st.sampled_from(Severity),
        details=st.dictionaries(st.text(max_size=3), anything, max_size=3),
        source=st.none() | st.builds(Source, file=st.none() | st.text(max_size=5)),
        tags=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        resolved=st.booleans(),
    )
)  # fmt: skip
def test_an_event_is_written_as_its_model_would_write_it(sent: Event) -> None:
    text = inbox.encode_event(sent)
    slowly = to_json_text(TypeAdapter(Event), sent)
    assert Event.model_validate_json(text) == Event.model_validate_json(slowly)
    assert json.loads(text).keys() == json.loads(slowly).keys()
