"""Titles of messages without a stack, and the words by which they are grouped."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.catalog import Catalog
from firstcause.core.grouping.error_title import derive_title
from firstcause.core.grouping.fingerprint import identify
from firstcause.core.model import Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)

LOGGED = [
    "2026-01-01 12:00:00,123 ERROR [main] com.acme.Orders - cannot save order 7",
    "10:00:00.123 [main] ERROR com.acme.Orders - cannot save order 7",
    "2026-01-01T12:00:00.123Z ERROR 4321 --- [nio-8080-exec-1] c.acme.shop.Orders : cannot save order 7",
    "2026-01-01T12:00:00.123Z  ERROR 1 --- [shop] [nio-1] c.acme.shop.Orders       : cannot save order 7",
    "ERROR:shop.orders:cannot save order 7",
    "2026-01-01 12:00:00,123 - shop.orders - ERROR - cannot save order 7",
    "[2026-01-01 10:00:00 +0000] [123] [ERROR] cannot save order 7",
    "2026-11-02 03:04:05.123 | ERROR    | shop.orders:save:12 - cannot save order 7",
    "E, [2026-01-01T00:00:00.123 #123] ERROR -- : cannot save order 7",
    "2026/01/01 00:00:00 [error] 123#123: cannot save order 7",
    "2026-01-01 00:00:00.000 UTC [123] ERROR:  cannot save order 7",
    "E0102 10:00:00.123456     123 orders.go:12] cannot save order 7",
    '2026-01-01T00:00:00.000Z\terror\tshop/orders.go:12\tcannot save order 7\t{"id":7}',
    "2026/01/01 10:00:00 cannot save order 7",
    '[2026-01-01 00:00:00] production.ERROR: cannot save order 7 {"userId":7}',
    "[ERROR] cannot save order 7",
    "CRITICAL: cannot save order 7",
    "WARN  [orders] cannot save order 7",
    "Jan  2 10:00:00 cannot save order 7",
    'level=error msg="cannot save order 7" id=1',
    'time="2026-01-01T00:00:00Z" level=error msg="cannot save order 7"',
    '{"level":"error","msg":"cannot save order 7"}',
    '{"time":1,"level":"ERROR","fields":{"message":"cannot save order 7"},"target":"shop"}',
    '{"@timestamp":"x","log.level":"error","message":"cannot save order 7"}',
    '{"log":"2026-01-01T00:00:00Z ERROR: cannot save order 7\\n","stream":"stderr"}',
    '2026-01-01T00:00:00Z stderr F {"level":"error","msg":"cannot save order 7"}',
    '{"level":"error","msg":"cannot save order 7","further":"cut of',
    "ERROR 2026-01-01 12:00:00,123 [main] com.acme.Orders - cannot save order 7",
    "ERROR [2026-01-01 12:00:00] com.acme.Orders: cannot save order 7",
    "Jan  2 10:00:00 web1 shop[123]: cannot save order 7",
    "2026-01-01T00:00:00+00:00 app[web.1]: cannot save order 7",
    "fail: Shop.Orders[0]\n      cannot save order 7",
    '{\n  "level": "error",\n  "msg": "cannot save order 7"\n}',
    "panic: cannot save order 7",
    "fatal error: cannot save order 7",
    "Uncaught cannot save order 7",
    "PHP Warning:  cannot save order 7 in /srv/shop/order.php on line 3",
    "[29-Nov-2026 20:00:00 UTC] PHP Warning:  cannot save order 7 in /srv/shop/order.php on line 3",
    "PHP message: PHP Fatal error:  cannot save order 7 in /srv/shop/order.php on line 3",
    '2026/11/29 20:00:00 [error] 7#7: FastCGI sent in stderr: "PHP message: PHP Notice: cannot save order 7',
    "cannot save order 7 at /srv/shop/order.pl line 12.",
    "thread 'main' panicked at 'cannot save order 7', src/main.rs:4:5",
    "*errors.errorString: cannot save order 7",
    "Unhandled exception\ncannot save order 7",
    "cannot save order 7\n    while closing the cart",
]
SPOKEN = [
    ('{"msg":"cannot charge","error":"card declined"}', "cannot charge: card declined"),
    ('{"msg":"no pay","err":{"type":"CardError","message":"declined"}}', "no pay: CardError: declined"),
    ('{"error":{"type":"CardError","message":"CardError: declined"}}', "CardError: declined"),
    ('{"msg":"request failed","status":503,"path":"/x"}', "request failed status=503"),
    ('{"a":1,"b":"x y"}', 'a=1 b="x y"'),
    ('{"msg":"x","exception":"Traceback (most recent call last):\\n  File\\nKeyError: 1"}', "x: KeyError: 1"),
    ('Exception in thread "main" java.lang.IllegalStateException: no', "java.lang.IllegalStateException: no"),
    ("KeyError: 'x'", "KeyError: 'x'"),
    ("Error: no route", "Error: no route"),
    ("error in connection to db=main", "error in connection to db=main"),
    ("login failed user=anna", "login failed user=anna"),
    ("WARNING sign broken", "WARNING sign broken"),
    ("[orders] cannot save", "[orders] cannot save"),
    ("HTTP 503 from the bank", "HTTP 503 from the bank"),
    ("ERR_CONNECTION_REFUSED at the bank", "ERR_CONNECTION_REFUSED at the bank"),
    ("Unhandled exception", "Unhandled exception"),
    ("disk full\n\n", "disk full"),
    ("...", ""),
    ("Traceback (most recent call last):", ""),
    ("thread 'main' panicked at src/main.rs:4:5:", ""),
    ("{}", ""),
]  # fmt: skip


def title(message: str | None) -> str:
    return derive_title(message, lambda: None)


def fault(message: str) -> str:
    return identify(Event(id="1", time=NOW, message=message), Catalog([])).fault


@pytest.mark.parametrize("message", LOGGED)
def test_what_a_logger_writes_around_the_message_is_stripped(message: str) -> None:
    assert title(message) == "cannot save order 7"


@pytest.mark.parametrize(("message", "spoken"), SPOKEN)
def test_titles(message: str, spoken: str) -> None:
    assert title(message) == spoken


def test_a_title_is_cut() -> None:
    assert title("a" * 500) == "a" * 157 + "..."


def test_json_is_one_fault_whatever_else_it_has() -> None:
    one = {"level": "error", "msg": "cannot save order 7", "id": 1}
    assert fault(json.dumps(one)) == fault(json.dumps({"user": "anna", **one, "msg": "cannot save order 8"}))
    assert fault(json.dumps(one)) == fault('level=error msg="cannot save order 9"')


@pytest.mark.parametrize(
    "text",
    ["fail: Shop.Orders[0]\n      {}", '{{\n "level": "error",\n "msg": "{}"\n}}', "Unhandled exception\n{}"],
)
def test_a_first_line_that_says_nothing_does_not_group(text: str) -> None:
    assert fault(text.format("no route to 7")) == fault(text.format("no route to 8"))
    assert fault(text.format("no route to 7")) != fault(text.format("disk is full"))


@pytest.mark.parametrize("key", ["msg", "message", "log", "error", "reason"])
def test_json_with_other_words_is_another_fault(key: str) -> None:
    one, two = (json.dumps({key: text, "stream": "stderr"}) for text in ("disk is full", "bank refuses"))
    assert fault(one) != fault(two)


@pytest.mark.parametrize(("one", "two"), [("status", 404), ("code", "E17"), ("error", "declined")])
def test_what_tells_errors_with_the_same_words_apart(one: str, two: object) -> None:
    words = {"msg": "request failed", one: 503}
    assert fault(json.dumps(words)) != fault(json.dumps({**words, one: two}))


def test_panics_and_warnings_on_one_line_are_told_apart() -> None:
    for line in (
        "thread 'main' panicked at '{}', src/main.rs:4:5",
        "PHP Warning:  {} in /srv/shop/a.php on line 3",
    ):
        assert fault(line.format("no route to 7")) == fault(line.format("no route to 8"))
        assert fault(line.format("no route to 7")) != fault(line.format("disk is full"))
    files = (f"PHP Warning:  no total in /srv/shop/{name}.php on line 3" for name in ("cart", "order"))
    assert len(set(map(fault, files))) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["msg", "error", "log", "fields", "status", "a"]) | st.text(), JSON))
def test_any_json_has_a_title(value: dict[str, object]) -> None:
    spoken = title(json.dumps(value))
    assert not spoken.startswith('{"')
    assert len(spoken) <= 160


@given(st.text(), st.sampled_from(LOGGED))
def test_any_text_has_a_title(text: str, line: str) -> None:
    for message in (text, line + text, text + line):
        assert "\n" not in title(message)


@pytest.mark.parametrize(
    "piece", ["@", "a=", "[a]", "a.", '{"a":', '"a":"', " in a.b", " at a line 1", "1", "\\", "#0 ("]
)
def test_no_title_takes_long(piece: str) -> None:
    # One that is searched again from each of its characters would need minutes.
    for start in ("", "2026-01-01 12:00:00 ERROR ", "{", "a=1 "):
        assert isinstance(title(start + piece * 60_000), str)
        assert fault(start + piece * 60_000)
