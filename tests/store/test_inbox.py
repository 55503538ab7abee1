from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from firstcause.core.model import Event, Severity, Source
from firstcause.store import inbox
from firstcause.store.tables import inbox as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.store.database import Database

TIME = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def event(name: str, **fields: Any) -> Event:
    return Event(id=name, time=TIME, **fields)


def put(database: Database, events: Sequence[Event], now: datetime = TIME) -> None:
    with database.write(exclusive=False) as conn:
        inbox.put(conn, events, now)


def waiting(database: Database, limit: int = 1000) -> list[inbox.Received]:
    with database.read() as conn:
        return inbox.waiting(conn, limit)


def ids(received: Sequence[inbox.Received]) -> list[str]:
    return [each.event.id for each in received if each.event is not None]


def test_events_wait_in_the_order_in_which_they_came(database: Database) -> None:
    put(database, [event("c"), event("a")])
    put(database, [event("b")])
    assert ids(waiting(database)) == ["c", "a", "b"]
    assert ids(waiting(database, 2)) == ["c", "a"]
    seqs = [each.seq for each in waiting(database)]
    assert seqs == sorted(set(seqs))


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
    assert [each.event for each in waiting(database)] == [whole, event("bare")]


def test_the_same_id_is_stored_once_and_the_first_counts(database: Database) -> None:
    put(database, [event("a", message="first")])
    put(database, [event("a", message="second"), event("b")])
    stored = waiting(database)
    assert ids(stored) == ["a", "b"]
    assert stored[0].event == event("a", message="first")


def test_the_same_id_within_one_batch_is_stored_once(database: Database) -> None:
    put(database, [event("a", message="first"), event("b"), event("a", message="second")])
    assert [each.event for each in waiting(database)] == [event("a", message="first"), event("b")]


def test_an_id_that_was_triaged_does_not_come_again(database: Database) -> None:
    put(database, [event("a")])
    with database.write() as conn:
        inbox.mark(conn, [(inbox.waiting(conn, 1)[0].seq, "print", None)], TIME)
    put(database, [event("a")])
    assert waiting(database) == []


def test_threads_that_store_the_same_events_at_once_store_each_once(database: Database) -> None:
    names = [f"e{number}" for number in range(100)]
    together = threading.Barrier(4)

    def store(turn: int) -> None:
        together.wait(timeout=30)
        # Half of them backwards: whoever waits for the other's rows must not wait for each other.
        put(database, [event(name) for name in (names if turn % 2 else names[::-1])])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store, range(4)))
    stored = ids(waiting(database))
    assert len(stored) == 100
    assert set(stored) == set(names)


def test_crossing_writers_do_not_block_each_other_for_good(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("on SQLite one writer at a time is in a transaction at all")
    held, crossed = threading.Event(), threading.Event()

    def other() -> None:
        held.wait(timeout=30)
        crossed.set()
        put(database, [event("b"), event("a")])

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(other)
        with database.write(exclusive=False) as conn:
            inbox.put(conn, [event("a")], TIME)
            held.set()
            crossed.wait(timeout=30)
            # Time for the other to take b and wait for a, were the two not kept apart.
            time.sleep(0.3)
            inbox.put(conn, [event("b")], TIME)
        second.result(timeout=30)
    assert sorted(ids(waiting(database))) == ["a", "b"]


def test_still_waiting_leaves_out_what_another_took(database: Database) -> None:
    put(database, [event("a"), event("b"), event("c")])
    first, second, third = (each.seq for each in waiting(database))
    with database.write() as conn:
        inbox.mark(conn, [(second, "print", None)], TIME)
        assert inbox.still_waiting(conn, [first, second, third, third + 1000]) == {first, third}
        assert inbox.still_waiting(conn, []) == set()


def test_mark_keeps_the_fingerprint_and_the_problem(database: Database) -> None:
    put(database, [event("a"), event("b"), event("c")])
    first, second, _ = (each.seq for each in waiting(database))
    later = TIME + timedelta(seconds=3)
    with database.write() as conn:
        inbox.mark(conn, [(first, "print", None), (second, None, "no\x00good")], later)
        inbox.mark(conn, [], later)
    assert ids(waiting(database)) == ["c"]
    with database.read() as conn:
        rows = conn.execute(
            sa.select(table.c.triaged_at, table.c.fingerprint, table.c.problem).order_by("seq")
        )
        assert [tuple(row) for row in rows] == [
            (later, "print", None),
            (later, None, "no\ufffdgood"),
            (None, None, None),
        ]


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
    assert [each.event for each in waiting(database)] == [sent]


@pytest.mark.parametrize("bad", ["\x00", *map(chr, (0xD800, 0xDFFF))])
def test_what_postgres_cannot_store_becomes_a_mark_everywhere(database: Database, bad: str) -> None:
    text, shown = f"a{bad}b", "a\ufffdb"
    sent = event(text, message=text, details={"k": [text, {"in": text}]}, tags={"k": text})
    put(database, [event("before"), sent, event("after")])
    put(database, [sent])
    assert [each.event for each in waiting(database)] == [
        event("before"),
        event(shown, message=shown, details={"k": [shown, {"in": shown}]}, tags={"k": shown}),
        event("after"),
    ]


def test_nul_in_a_key_becomes_a_mark_too(database: Database) -> None:
    put(database, [event("a", details={"\x00": {"\x00": 1}}, tags={"\x00": "v"})])
    expected = event("a", details={"\ufffd": {"\ufffd": 1}}, tags={"\ufffd": "v"})
    assert [each.event for each in waiting(database)] == [expected]


def test_what_cannot_be_read_again_is_given_with_its_problem(database: Database) -> None:
    with database.write() as conn:
        conn.execute(
            table.insert().values(event_id="x", received_at=TIME, event={"id": "x", "colour": "red"})
        )
    put(database, [event("good")])
    broken, good = waiting(database)
    assert broken.event is None
    assert "colour" in (broken.problem or "")
    assert good.event == event("good")
