"""A notifier's memory of who has a message."""

from __future__ import annotations

from firstcause import DeliveryTracker, Notification, NotifyReason, Priority, Severity


def notice(number: str) -> Notification:
    return Notification(
        id=number, incident_id="7", reason=NotifyReason.REMINDER, priority=Priority.P0,
        severity=Severity.CRITICAL, code="X", title="x", text="CRITICAL: x #7", body="all of it",
    )  # fmt: skip


def test_who_has_a_message_is_remembered_for_that_message_only() -> None:
    delivered = DeliveryTracker()
    delivered.receipts_for(notice("1"))["ann"] = "m1"
    assert delivered.receipts_for(notice("1")) == {"ann": "m1"}
    assert delivered.receipts_for(notice("2")) == {}, "a second reminder is another message"


def test_the_latest_thousand_messages_are_remembered() -> None:
    delivered = DeliveryTracker()
    for number in range(1001):
        delivered.receipts_for(notice(str(number)))["ann"] = "m"
    assert delivered.receipts_for(notice("1")) == {"ann": "m"}
    assert delivered.receipts_for(notice("0")) == {}


def test_receivers_named_by_an_earlier_process_have_the_message() -> None:
    delivered = DeliveryTracker()
    notification = notice("1").model_copy(update={"receipts": {"ann": "m1"}})
    delivered.receipts_for(notification)["bob"] = "m2"
    assert delivered.receipts_for(notification) == {"ann": "m1", "bob": "m2"}


def test_what_only_the_notifier_needs_is_not_in_the_json_of_a_notification() -> None:
    notification = notice("1").model_copy(update={"receipts": {"ann": "m1"}, "attempted_texts": ("x",)})
    assert {"receipts", "attempted_texts", "attempted_at"}.isdisjoint(notification.model_dump(mode="json"))
