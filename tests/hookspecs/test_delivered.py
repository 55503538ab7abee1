"""A notifier's memory of who has a message."""

from __future__ import annotations

from firstcause import Delivered, Notification, NotifyReason, Priority, Severity


def notice(incident: str = "7", reason: NotifyReason = NotifyReason.FIRST, code: str = "X") -> Notification:
    return Notification(
        incident_id=incident, reason=reason, priority=Priority.P0, severity=Severity.CRITICAL,
        code=code, title="x", text="CRITICAL: x #7", body="all of it",
    )  # fmt: skip


def test_who_has_a_message_is_remembered_for_that_message_only() -> None:
    delivered = Delivered()
    delivered.of(notice())["ann"] = "m1"
    assert delivered.of(notice()) == {"ann": "m1"}
    assert delivered.of(notice(incident="8")) == {}
    assert delivered.of(notice(reason=NotifyReason.RESOLVED)) == {}


def test_a_cause_that_comes_back_is_news_again() -> None:
    delivered = Delivered()
    for code in ("A", "B", "A"):
        told = delivered.of(notice(reason=NotifyReason.NEW_ROOT, code=code))
        assert told == {}
        told["ann"] = code


def test_the_latest_thousand_incidents_are_remembered() -> None:
    delivered = Delivered()
    for number in range(1001):
        delivered.of(notice(incident=str(number)))["ann"] = "m"
    assert delivered.of(notice(incident="1")) == {"ann": "m"}
    assert delivered.of(notice(incident="0")) == {}
