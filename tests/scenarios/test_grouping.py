"""Errors that nobody described, through the whole pipe: grouped and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from firstcause.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage


def stack(line: int, function: str = "save") -> str:
    return (
        "Traceback (most recent call last):\n"
        f'  File "/srv/shop/orders/store.py", line {line}, in {function}\n    insert(order)\n'
        f"ValueError: order {line} is wrong\n"
    )


def codeless(stage: Stage, at: float, message: str, **fields: Any) -> None:
    stage.take(at, stage.event(at, None, message=message, service="shop", **fields))


def test_one_alert_for_one_place_whatever_the_message_says(stage: Stage) -> None:
    codeless(stage, 0, "ValueError: order of anna is wrong", stack=stack(41))
    codeless(stage, 1, "ValueError: nothing like it was seen", stack=stack(58))
    codeless(stage, 2, "ValueError: order of anna is wrong", stack=stack(41, "load"))
    counts = [
        alert["count"]
        for found in stage.incidents()
        for alert in stage.app.incidents.get_incident(found["id"])["alerts"]
    ]
    assert sorted(counts) == [1, 2]


def test_different_faults_apart_one_fault_together_and_a_title_that_says_what_happened(stage: Stage) -> None:
    panic = "thread 'main' panicked at src/bank.rs:{}:5:\n{}\nnote: run with `RUST_BACKTRACE=1`"
    fatal = (
        "PHP Fatal error:  Uncaught Error: no {0} in /srv/shop/src/{0}.php:12\n"
        "Stack trace:\n#0 /srv/shop/src/Kernel.php(33): Shop\\{0}->close()\n#1 {{main}}"
    )
    script = "TypeError: cart is undefined\n    at o (https://shop.example/assets/checkout-{}.js:1:{})"
    messages = [
        *(panic.format(line, "no route to the bank") for line in (4, 9)),
        panic.format(4, "index out of bounds: the len is 3 but the index is 7"),
        *map(fatal.format, ("Cart", "Invoice")),
        *(script.format(*each) for each in (("BxkT9a2Q", 20), ("DfGh-_aB", 31), ("C0d3Lk3m", 40))),
        *(f'{{"level": "error", "msg": "card declined", "order": {order}}}' for order in (7, 8)),
    ]
    for at, message in enumerate(messages):
        codeless(stage, at, message)
    alerts = {alert["title"]: alert["count"] for alert in stage.rows("alert")}
    assert alerts == {
        "no route to the bank": 2,
        "index out of bounds: the len is 3 but the index is 7": 1,
        "Error: no Cart": 1,
        "Error: no Invoice": 1,
        "TypeError: cart is undefined": 3,
        "card declined": 2,
    }


WORDS = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx", "yz")


def word(number: int) -> str:
    """No digit, and another for each number."""
    return "".join(WORDS[number // 13**place % 13] for place in range(6))


KINDS, BATCH = 4000, 1000


def test_thousands_of_kinds_stay_few_rows_and_say_so(stages: Callable[..., Stage]) -> None:
    stage = stages(
        intake={"max_uncatalogued_per_service": 5, "max_uncatalogued": 12, "max_tracked_codes": 20}
    )
    for start in range(0, KINDS, BATCH):
        events = [
            stage.event(1, None, message=f"the {word(number)} broke", service="shop", tenant=f"t{number % 2}")
            for number in range(start, start + BATCH)
        ]
        codes = [
            stage.event(1, f"E_{word(number)}", service="till") for number in range(start, start + BATCH)
        ]
        stage.take(1 + start / BATCH, *events, *codes, stage.event(1, "DATABASE_UNREACHABLE_X", service="db"))
    stage.take(9, stage.event(9, "SMS_DELIVERY_FAILURE", tenant="acme"))
    # The rate limit holds some messages back; they come in one.
    for seconds in (90, 900):
        stage.deliver(seconds)
    assert sum(row["count"] for row in stage.rows("alert")) == 2 * KINDS + 5
    assert len(stage.rows("alert")) <= 12 + 3 + 1
    further = {row["service"]: row for row in stage.rows("alert") if row["code"] == "OTHER_ERRORS"}
    assert further["shop"]["title"].endswith("further kinds of errors from shop")
    assert further["shop"]["title"].startswith("about ")
    assert "SMS_DELIVERY_FAILURE" in {row["code"] for row in stage.rows("alert")}
    for table, most in (("incident", 16), ("notification_registry", 16), ("tally", 60), ("outbox", 40)):
        assert len(stage.rows(table)) <= most, table
    said = "\n".join(each.body for each in stage.phones[0].received)
    assert "further kinds of errors from shop" in said
    number = next(found["id"] for found in stage.incidents() if found["root"]["code"] == "OTHER_ERRORS")
    assert "kinds" in stage.app.incidents.get_incident(number)["title"]
    assert "[intake]" in stage.app.incidents.render_debug_report(number, "text", stage.time(100))


def test_codes_that_are_not_seen_any_more_are_forgotten_but_for_their_number(
    stages: Callable[..., Stage],
) -> None:
    stage = stages(intake={"max_tracked_codes": 3})
    for number in range(8):
        stage.report(number, f"ODD_{number}", "SMS_DELIVERY_FAILURE")
    stage.app.maintenance.sweep(stage.time(20))
    stage.report(21, "ODD_8")
    stage.app.maintenance.sweep(stage.time(30))
    counts = {row["code"]: row["count"] for row in stage.rows("notification_registry")}
    assert counts == {"*": 6, "ODD_6": 1, "ODD_7": 1, "ODD_8": 1, "SMS_DELIVERY_FAILURE": 8}


def test_room_is_there_again_when_others_have_ended(stages: Callable[..., Stage]) -> None:
    stage = stages(intake={"max_uncatalogued_per_service": 2})
    stage.report(0, "A", "B", "C", service="shop")
    stage.report(10, "A", service="shop", resolved=True)
    stage.report(20, "D", service="shop")
    assert "D" not in {row["code"] for row in stage.rows("alert")}, "A was opened within the hour"
    stage.report(4000, "D", service="shop")
    assert "D" in {row["code"] for row in stage.rows("alert")}
    with stage.app.database.read() as conn:
        alert = metadata.tables["alert"]
        assert conn.execute(sa.select(sa.func.sum(alert.c.count))).scalar_one() == 5
