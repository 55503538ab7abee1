"""What people were told, read from the outbox: on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from firstcause.core.model import Incident, Priority
from firstcause.core.notification import NotifyReason
from firstcause.core.notify.policy import NotificationState
from firstcause.store import incidents, notification_state, outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from firstcause.store.database import Database

P0, P1 = Priority.P0, Priority.P1
SMS = ("sms",)
ROUTES = {"all": SMS}
FIRST, NEW_ROOT, RESOLVED = NotifyReason.FIRST, NotifyReason.NEW_ROOT, NotifyReason.RESOLVED
ESCALATED, REMINDER = NotifyReason.ESCALATED, NotifyReason.REMINDER
MINUTE = timedelta(minutes=1)


def queue(database: Database, number: int, reason: NotifyReason, at: datetime, route: str = "all") -> None:
    with database.write() as conn:
        outbox.add(conn, number, reason, at, {route: SMS})


def say(database: Database, at: datetime, fault: str = "root", priority: Priority = P1) -> None:
    """Deliver what is due."""
    with database.write() as conn:
        for row in outbox.claim(conn, at):
            outbox.mark_sending(conn, row.id, fault, priority)
            outbox.close(conn, row.id, "sent", at)


def told(database: Database, number: int) -> NotificationState:
    with database.read() as conn:
        return notification_state.load_state(conn, number).get("all", NotificationState())


def test_told_follows_an_incident_through_its_life(database: Database, number: int, now: datetime) -> None:
    assert told(database, number) == NotificationState()
    queue(database, number, FIRST, now)
    assert told(database, number) == NotificationState(SMS, frozenset({FIRST}), now)
    with database.write() as conn:
        (row,) = outbox.claim(conn, now)
        outbox.mark_sending(conn, row.id, "root", P1)
    first = NotificationState(
        SMS, notified_fault="root", notified_priority=P1, notified_since=now, last_notified_at=now
    )
    assert told(database, number) == first, "under way counts as said"
    with database.write() as conn:
        outbox.close(conn, row.id, "sent", now)
    assert told(database, number) == first
    queue(database, number, NEW_ROOT, now + MINUTE)
    assert told(database, number).queued_reasons == {NEW_ROOT}
    say(database, now + MINUTE, "deeper root", P0)
    later = now + MINUTE
    deeper = NotificationState(
        SMS, notified_fault="deeper root", notified_priority=P0, notified_since=later, last_notified_at=later
    )
    assert told(database, number) == deeper
    queue(database, number, RESOLVED, now + 2 * MINUTE)
    assert told(database, number) == replace(deeper, queued_reasons=frozenset({RESOLVED}))
    with database.write() as conn:
        outbox.cancel(conn, number)
    assert told(database, number) == deeper
    queue(database, number, RESOLVED, now + 2 * MINUTE)
    say(database, now + 2 * MINUTE)
    assert told(database, number) == NotificationState(SMS, resolution_sent=True)


def test_the_highest_priority_that_was_said_counts(database: Database, number: int, now: datetime) -> None:
    for at, priority in enumerate((P1, P0, P1)):
        queue(database, number, FIRST if at == 0 else NEW_ROOT, now)
        say(database, now, str(at), priority)
    assert told(database, number).notified_priority is P0


def test_an_escalation_asks_anew_and_a_reminder_does_not(
    database: Database, number: int, now: datetime
) -> None:
    queue(database, number, FIRST, now)
    say(database, now)
    queue(database, number, ESCALATED, now + MINUTE)
    assert told(database, number).escalated_at == now + MINUTE
    say(database, now + 2 * MINUTE)
    queue(database, number, REMINDER, now + 3 * MINUTE)
    say(database, now + 3 * MINUTE)
    so_far = told(database, number)
    assert (so_far.notified_since, so_far.escalated_at, so_far.last_notified_at) == (
        now + 2 * MINUTE, now + 2 * MINUTE, now + 3 * MINUTE,
    )  # fmt: skip


def test_what_could_not_be_delivered_was_not_said_and_counts(
    database: Database, number: int, now: datetime
) -> None:
    for at in (now, now + MINUTE):
        queue(database, number, FIRST, at)
        with database.write() as conn:
            (row,) = outbox.claim(conn, at)
            outbox.mark_sending(conn, row.id, "root", P0)
            outbox.close(conn, row.id, "given up", at, "no route to host")
    failed = NotificationState(SMS, failures=2)
    assert told(database, number) == failed
    queue(database, number, FIRST, now + 2 * MINUTE)
    say(database, now + 2 * MINUTE)
    assert told(database, number).failures == 0


def test_each_route_is_told_for_itself(
    database: Database, number: int, now: datetime, an_incident: Callable[..., Incident]
) -> None:
    queue(database, number, FIRST, now, "night")
    queue(database, number, FIRST, now + MINUTE, "day")
    say(database, now)
    with database.write() as conn:
        over = incidents.save(conn, an_incident("over", status="resolved"))
        outbox.add(conn, over, FIRST, now, ROUTES)
    with database.read() as conn:
        both = notification_state.load_state(conn, number)
        assert notification_state.load_open_states(conn) == {number: both}
        assert notification_state.load_state(conn, number, excluded_id=2) == {"night": both["night"]}
        assert notification_state.load_notified_faults(conn) == {"root"}
    assert (both["night"].notified_fault, both["day"].notified_fault) == ("root", None)


def test_what_was_said_of_a_merged_incident_counts_for_the_other(
    database: Database, number: int, now: datetime, an_incident: Callable[..., Incident]
) -> None:
    with database.write() as conn:
        into = incidents.save(conn, an_incident("into"))
        outbox.add(conn, number, FIRST, now, ROUTES)
        (row,) = outbox.claim(conn, now)
        outbox.mark_sending(conn, row.id, "root", P0)
        outbox.add_log_entry(
            conn,
            {
                "incident_id": number,
                "outbox_id": row.id,
                "at": now,
                "reason": "first",
                "notifier": "sms",
                "status": "sent",
                "code": "DB-001",
                "severity": "CRITICAL",
                "priority": "P0",
                "text": "the database is down",
                "maybe_repeat": False,
                "intelligence": {},
            },
        )
        outbox.close(conn, row.id, "sent", now)
        assert notification_state.load_state(conn, into) == {}
        outbox.move(conn, number, into)
        assert notification_state.load_state(conn, number) == {}
        assert notification_state.load_state(conn, into)["all"].notified_fault == "root"
        assert incidents.load_notifications(conn, number) == []
        assert [each["notifier"] for each in incidents.load_notifications(conn, into)] == ["sms"]


def test_that_it_flaps_is_known_until_another_beginning_is_said(
    database: Database, number: int, now: datetime
) -> None:
    for reason, known in [
        (FIRST, False),
        (NotifyReason.FLAPPING, True),
        (REMINDER, True),
        (ESCALATED, True),
        (NotifyReason.STEADY, False),
        (NotifyReason.FLAPPING, True),
        (RESOLVED, False),
    ]:
        queue(database, number, reason, now)
        say(database, now)
        assert told(database, number).notified_flapping is known
