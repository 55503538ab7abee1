"""Rates: each source has its own bucket, and memory for them is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.intake import rate_limiter
from firstcause.intake.rate_limiter import RateLimiter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_rate_for_each_source() -> None:
    clock = Clock()
    limited = RateLimiter(2.0, 10, clock)
    assert [limited.admit("a") for _ in range(11)] == [0] * 10 + [0.5]
    assert limited.admit("b") == 0
    clock.now += 0.5
    assert [limited.admit("a"), limited.admit("a")] == [0, 0.5]


def test_a_request_may_go_beyond_and_the_source_then_waits_the_longer() -> None:
    clock = Clock()
    limited = RateLimiter(10.0, 5, clock)
    assert limited.admit("a") == 0
    limited.spend("a", 104)
    assert limited.admit("a") == pytest.approx(10.1)
    clock.now += 10.1
    assert limited.admit("a") == 0


def test_no_limit_is_no_limit() -> None:
    free = RateLimiter(0, 1, Clock())
    free.spend("a", 10**9)
    assert free.admit("a") == 0


def test_memory_is_bounded_and_the_quietest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "MAX_SOURCES", 3)
    limited = RateLimiter(1.0, 2, Clock())
    for name in ("a", "b", "c", "a", "d"):
        limited.spend(name, 2)
    assert [limited.admit(name) > 0 for name in "acdb"] == [True, True, True, False]


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), max_size=60),
    st.floats(0.1, 50),
    st.integers(1, 30),
)
def test_over_any_time_no_more_is_let_in_than_the_rate_allows(
    steps: list[tuple[float, int]], rate: float, burst: int
) -> None:
    clock, taken, last = Clock(), 0, 0
    limited = RateLimiter(rate, burst, clock)
    for wait, events in steps:
        clock.now += wait
        if limited.admit("a") == 0:
            limited.spend("a", events - 1)
            taken, last = taken + events, events
    assert taken - last <= burst + rate * (clock.now - 100.0) + 1e-6
