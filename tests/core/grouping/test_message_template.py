from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.grouping.message_template import MAX_LINE_LENGTH, extract_template

SAME = [
    ("connection to 10.2.0.17:5432 refused", "connection to db-3.prod.example.com:5433 refused"),
    ("order 17 failed", "order 9f8a7b6c-1d2e-4f3a-8b9c-0d1e2f3a4b5c failed"),
    ("no answer within 3000ms", "no answer within 4.5s"),
    ("cannot read /srv/data/acme/17.csv", "cannot read C:\\data\\bolt\\new.csv"),
    ("GET https://api.example.com/v1/orders/17 failed", "GET http://10.0.0.1/ failed"),
    ("mail to anna@example.com bounced", "mail to bert.b+x@mail.example.org bounced"),
    ("job at Mon Nov  2 03:04:05 2026 skipped", "job at 2026-11-02T03:04:05.123Z skipped"),
    ("login failed user=anna ip=10.0.0.1", "login failed user=bert ip="),
    ("invalid user anna from 10.0.0.1", "invalid user bert from 10.0.0.2"),
    ("timeout for tenant acme", "timeout for tenant bolt"),
    ('no column "price" here', "no column 'total' here"),
    ("ids 1, 2, 3 unknown", "ids 17, 18 unknown"),
    ("lease 0xdeadbeef lost", "lease 0xcafe lost"),
    ("pod shop-7f8d9c-x2x4k gone", "pod shop-5b6c7d-q9w8e gone"),
    ("two  spaces here", "two spaces here"),
    ("订单17失败", "订单9999失败"),
]
OTHER = [
    ("disk full", "disk slow"),
    ("HTTP 503 from the vendor", "HTTP 401 from the vendor"),
    ("[Errno 28] cannot write", "[Errno 13] cannot write"),
    ("status=404 path=/a/b", "status=500 path=/a/b"),
    ("error code 20003: refused", "error code 21211: refused"),
    ("exit status 137", "exit status 1"),
    ("SQLSTATE[42S02] in the query", "SQLSTATE[23505] in the query"),
    ('level=error msg="queue is full" id=1', 'level=error msg="disk is full" id=1'),
    ('{"level": "error", "msg": "no route", "id": 1}', '{"level": "error", "msg": "no space", "id": 1}'),
    ('said "the index is corrupt"', 'said "the table is locked"'),
    ("订单失败", "付款失败"),
    ("main.py failed", "worker.py failed"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_varies_is_taken_out(one: str, two: str) -> None:
    assert extract_template(one) == extract_template(two)
    assert "*" in extract_template(one) or one == "two  spaces here"


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_what_says_what_went_wrong_stays(one: str, two: str) -> None:
    assert extract_template(one) != extract_template(two)


@pytest.mark.parametrize(
    "text",
    ["can't get it, and it's late", "Decode and March failed", "org.apache.commons.io.FileUtils failed"],
)
def test_plain_words_stay(text: str) -> None:
    assert extract_template(text) == text


@given(st.text(), st.integers(0, 99999), st.integers(0, 99999))
def test_any_text_and_any_number_after_it(text: str, one: int, two: int) -> None:
    assert "\n" not in extract_template(text)
    assert extract_template(f"item {one} of {text}") == extract_template(f"item {two} of {text}")


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.",
        "a-",
        "/a",
        "\"'`",
        "a@",
        "=",
        "error ",
        "for user ",
        "* ",
        "a=",
        "Mon Jan ",
        "Jan 1 ",
        "1 May ",
    ],
)
def test_no_text_takes_long(text: str) -> None:
    # One that is searched again from each of its characters would need minutes.
    for _ in range(20):
        assert extract_template(text * MAX_LINE_LENGTH) is not None
