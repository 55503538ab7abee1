from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from firstcause.core.model import Incident, Priority
from firstcause.core.notification import NotifyReason
from firstcause.store import incidents, notification_state, outbox
from firstcause.store.tables import outbox as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from firstcause.core.notify.policy import NotificationState
    from firstcause.store.database import Database

ROUTES = {"all": ("sms", "mail")}
FIRST, NEW_ROOT, RESOLVED = NotifyReason.FIRST, NotifyReason.NEW_ROOT, NotifyReason.RESOLVED
LEASE = timedelta(seconds=outbox.LEASE_S)
MOMENT = timedelta(microseconds=1)
P0 = Priority.P0


def add(
    database: Database,
    number: int,
    due_at: datetime,
    reason: NotifyReason = FIRST,
    routes: Mapping[str, tuple[str, ...]] = ROUTES,
) -> None:
    with database.write() as conn:
        outbox.add(conn, number, reason, due_at, routes)


def claim(database: Database, now: datetime, limit: int = 20) -> list[outbox.PendingMessage]:
    with database.write() as conn:
        return outbox.claim(conn, now, limit)


def told(database: Database, number: int) -> NotificationState:
    with database.read() as conn:
        return notification_state.load_state(conn, number)["all"]


def outcomes(database: Database) -> list[str | None]:
    with database.read() as conn:
        return list(conn.execute(sa.select(table.c.outcome).order_by(table.c.id)).scalars())


def test_one_row_a_route_with_its_notifiers_in_order(database: Database, number: int, now: datetime) -> None:
    add(database, number, now, routes={"night": ("sms", "mail"), "log": ("console",)})
    rows = claim(database, now)
    assert [(row.route, row.notifiers) for row in rows] == [("night", ("sms", "mail")), ("log", ("console",))]
    assert {(row.incident_id, row.reason, row.position, row.attempts, row.failures) for row in rows} == {
        (number, FIRST, 0, 0, 0)
    }


def test_only_what_is_due_is_claimed_and_the_oldest_first(
    database: Database, number: int, now: datetime
) -> None:
    for seconds in (0, -2, -1):
        add(database, number, now + timedelta(seconds=seconds), routes={f"at {seconds}": ("sms",)})
    add(database, number, now + MOMENT)
    assert [row.route for row in claim(database, now, 2)] == ["at -2", "at -1"]
    assert [row.route for row in claim(database, now, 2)] == ["at 0"]
    assert claim(database, now) == []
    assert [row.route for row in claim(database, now + MOMENT)] == ["all"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_no_row_is_claimed_twice(database: Database, number: int, now: datetime, *, exclusive: bool) -> None:
    with database.write() as conn:
        for _ in range(60):
            outbox.add(conn, number, FIRST, now, ROUTES)
    together = threading.Barrier(4)

    def take() -> list[int]:
        taken: list[int] = []
        together.wait(timeout=30)
        while True:
            with database.write(exclusive=exclusive) as conn:
                rows = outbox.claim(conn, now, 3)
            if not rows:
                return taken
            taken += [row.id for row in rows]

    with ThreadPoolExecutor(4) as pool:
        taken = [row for each in [pool.submit(take) for _ in range(4)] for row in each.result(timeout=60)]
    assert len(taken) == len(set(taken)) == 60


def test_a_claim_that_waits_for_another_one_does_not_take_its_rows(
    database: Database, number: int, now: datetime
) -> None:
    add(database, number, now)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as conn:
            assert len(outbox.claim(conn, now)) == 1
            second = pool.submit(claim, database, now)
        assert second.result(timeout=30) == []


def test_a_claim_that_was_rolled_back_is_none(database: Database, number: int, now: datetime) -> None:
    add(database, number, now)
    with pytest.raises(ZeroDivisionError), database.write() as conn:  # noqa: PT012
        assert outbox.claim(conn, now)
        raise ZeroDivisionError
    assert len(claim(database, now)) == 1


def test_the_lease_ends_after_its_time(database: Database, number: int, now: datetime) -> None:
    add(database, number, now)
    (first,) = claim(database, now)
    assert claim(database, now + LEASE) == []
    (second,) = claim(database, now + LEASE + MOMENT)
    assert first.id == second.id
    assert claim(database, now + 2 * LEASE) == []
    assert len(claim(database, now + 2 * LEASE + 2 * MOMENT)) == 1


def test_release_all_frees_the_predecessors_claims(database: Database, number: int, now: datetime) -> None:
    add(database, number, now, routes={"claimed": ("sms",)})
    add(database, number, now, routes={"done": ("sms",)})
    claimed, done = claim(database, now)
    add(database, number, now, routes={"never claimed": ("sms",)})
    with database.write() as conn:
        outbox.close(conn, done.id, "sent", now)
        outbox.release_all(conn)
    again = claim(database, now)
    assert [row.route for row in again] == ["claimed", "never claimed"]
    assert again[0].id == claimed.id


@pytest.mark.parametrize("outcome", ["sent", "cancelled", "given up"])
def test_a_closed_row_is_never_claimed_again(
    database: Database, number: int, now: datetime, outcome: str
) -> None:
    add(database, number, now)
    (row,) = claim(database, now)
    with database.write() as conn:
        outbox.close(conn, row.id, outcome, now, "why\x00")
        outbox.release_all(conn)
        assert conn.execute(sa.select(table.c.error)).scalar_one() == "why\ufffd"
    assert claim(database, now + 2 * LEASE) == []
    assert outcomes(database) == [outcome]


def test_later_is_claimed_at_its_time_with_the_next_notifier(
    database: Database, number: int, now: datetime
) -> None:
    add(database, number, now)
    (row,) = claim(database, now)
    again = now + timedelta(seconds=30)
    with database.write() as conn:
        outbox.mark_sending(conn, row.id, "root", P0)
        outbox.schedule_retry(conn, row.id, due_at=again, position=1, attempts=2, error="no answer")
    assert told(database, number).queued_reasons == {FIRST}
    assert claim(database, again - MOMENT) == []
    (second,) = claim(database, again)
    assert (second.position, second.attempts) == (1, 2)


def test_cancel_drops_what_waits_but_not_what_is_under_way(
    database: Database, number: int, now: datetime, an_incident: Callable[..., Incident]
) -> None:
    with database.write() as conn:
        other = incidents.save(conn, an_incident("other"))
        outbox.add(conn, number, FIRST, now, ROUTES)
        (row,) = outbox.claim(conn, now)
        outbox.mark_sending(conn, row.id, "root", P0)
        outbox.add(conn, number, NEW_ROOT, now, ROUTES)
        outbox.add(conn, other, FIRST, now, ROUTES)
        outbox.cancel(conn, number)
    assert outcomes(database) == [None, "cancelled", None]
    assert [each.incident_id for each in claim(database, now)] == [other]


def test_what_waits_for_a_later_time_can_be_due_sooner(
    database: Database, number: int, now: datetime
) -> None:
    add(database, number, now + LEASE)
    with database.write() as conn:
        outbox.advance(conn, number, "other", now)
        assert outbox.claim(conn, now) == []
        outbox.advance(conn, number, "all", now)
        assert len(outbox.claim(conn, now)) == 1


def test_what_a_limit_holds_back_is_claimed_together(database: Database, number: int, now: datetime) -> None:
    for _ in range(3):
        add(database, number, now)
    later = now + LEASE
    for row in claim(database, now)[:2]:
        with database.write() as conn:
            outbox.defer(conn, row, later, 1, held_by="mail")
    with database.write() as conn:
        outbox.cancel(conn, number)
    assert claim(database, later - MOMENT) == []
    with database.write() as conn:
        held = outbox.claim_held(conn, "mail", now)
        assert [(row.position, row.held_by) for row in held] == [(1, "mail")] * 2, "cancel spares them"
        assert outbox.claim_held(conn, "mail", now) == []
        outbox.mark_sending(conn, held[0].id, "root", P0)
        outbox.close(conn, held[0].id, "sent", now)
        outbox.defer(conn, held[1], later)
        assert outbox.claim_held(conn, "mail", now) == [], "neither is held any more"


def test_the_most_urgent_is_claimed_first_and_one_row_for_each_free_notifier(
    database: Database, number: int, now: datetime, an_incident: Callable[..., Incident]
) -> None:
    with database.write() as conn:
        minor = incidents.save(conn, an_incident("minor", priority=Priority.P2))
        outbox.add(conn, minor, FIRST, now - LEASE, {"minor": ("sms",)})
        outbox.add(conn, number, FIRST, now, {"urgent": ("sms", "mail"), "mail": ("mail",)})
        rows = outbox.claim(conn, now, busy=["mail"])
    assert [row.route for row in rows] == ["urgent"]
    assert [row.route for row in claim(database, now)] == ["mail", "minor"]


def test_of_what_a_limit_holds_back_one_row_is_claimed(
    database: Database, number: int, now: datetime
) -> None:
    for _ in range(3):
        add(database, number, now)
    for row in claim(database, now):
        with database.write() as conn:
            outbox.defer(conn, row, now, held_by="sms")
    (row,) = claim(database, now)
    with database.write() as conn:
        assert len(outbox.claim_held(conn, "sms", now)) == 2


def test_a_check_is_claimed_once_at_its_time_for_all_rows_of_one_message(
    database: Database, number: int, now: datetime
) -> None:
    for _ in range(2):
        add(database, number, now)
    with database.write() as conn:
        for row in outbox.claim(conn, now):
            outbox.mark_sending(conn, row.id, "root", P0)
            outbox.close(conn, row.id, "sent", now)
            outbox.record_sender(conn, row.id, "sms", "SM1", now + LEASE)

    def check(at: datetime, *busy: str) -> list[outbox.DeliveryCheck]:
        with database.write() as conn:
            return outbox.claim_checks(
                conn, at, busy, lambda checks, now: now + LEASE if checks < 2 else None
            )

    assert (check(now), check(now + LEASE, "sms")) == ([], [])
    (found,) = check(now + LEASE)
    assert (found.notifier, found.reference, len(found.rows)) == ("sms", "SM1", 2)
    assert check(now + LEASE) == []
    assert len(check(now + 2 * LEASE)) == 1
    assert check(now + 100 * LEASE) == [], "it was checked often enough"
