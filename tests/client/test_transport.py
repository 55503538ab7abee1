"""What a daemon's answer means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.client.transport import SendResult, _interpret_response, parse_retry_after

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", 3600.0),
        ("nan", None),
        ("soon", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
    ],
)
def test_retry_after(header: str | None, found: float | None) -> None:
    assert parse_retry_after(header, NOW.timestamp()) == found


@given(st.text())
def test_a_header_of_any_text_is_read(header: str) -> None:
    found = parse_retry_after(header, NOW.timestamp())
    assert found is None or 0 <= found <= 3600


@given(st.integers(100, 599), st.none() | st.text(), st.binary())
def test_any_answer_means_something(status: int, header: str | None, body: bytes) -> None:
    answer = _interpret_response(status, header, body)
    assert (answer.result is SendResult.ACCEPTED) == (200 <= status < 300)
    assert answer.retry_after is None or answer.result is SendResult.RETRY
    assert len(answer.reason) < 400


@pytest.mark.parametrize("status", [400, 409, 415, 422])
def test_what_is_wrong_with_the_batch_is_not_tried_again(status: int) -> None:
    assert _interpret_response(status, None, b"").result is SendResult.REJECTED


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504])
def test_what_is_wrong_elsewhere_is_tried_again(status: int) -> None:
    assert _interpret_response(status, None, b"").result is SendResult.RETRY
