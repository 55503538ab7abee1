"""Whom a failed call was for, by the text that tells of it."""

from __future__ import annotations

import pytest

from firstcause.core.topology.targets import Target, find_targets, last_line


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("HTTPConnectionPool(host='stock', port=8080): Read timed out. (read timeout=5)", "stock"),
        ("502 Server Error: Bad Gateway for url: http://checkout:8080/api/checkout", "checkout"),
        ("dial tcp: lookup payments.prod.svc on 10.0.0.10:53: no such host", "payments.prod.svc"),
        ("connect ECONNREFUSED redis-cache:6379", "redis-cache"),
        ("Error 111 connecting to redis-cache:6379. Connection refused.", "redis-cache"),
        ("The connection attempt failed: jdbc:postgresql://main-db:5432/shop", "main-db"),
        ("AMQPConnectionError: amqp://user:***@broker:5672/%2F", "broker"),
        ("(2003, \"Can't connect to MySQL server on 'orders-db' (111)\")", "orders-db"),
        ("java.net.UnknownHostException: ledger", "ledger"),
        (
            'Get "http://users.prod.svc.cluster.local/me": context deadline exceeded',
            "users.prod.svc.cluster.local",
        ),
        ('connect() failed (111: Connection refused), upstream: "http://search:8080/q"', "search"),
    ],
)
def test_a_failed_call_names_whom_it_was_for(text: str, host: str) -> None:
    assert [target.host for target in find_targets(text)] == [host]


def test_an_address_beside_the_name_is_kept() -> None:
    text = 'connection to server at "postgres-main" (10.0.3.17), port 5432 failed: Connection refused'
    assert find_targets(text) == (Target("postgres-main", "10.0.3.17"),)


@pytest.mark.parametrize(
    "text",
    [
        "see https://docs.example.org/errors for help",
        "cannot connect to localhost:5432",
        "TypeError: x",
        "",
        None,
    ],
)
def test_a_link_or_the_own_host_is_no_call(text: str | None) -> None:
    assert find_targets(text) == ()


def test_the_last_line_of_a_stack_is_read() -> None:
    assert last_line("Traceback\n  File x\nOperationalError: could not resolve host: db\n") == (
        "OperationalError: could not resolve host: db"
    )
    assert last_line(None) is None
