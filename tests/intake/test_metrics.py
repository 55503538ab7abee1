"""Counting what came in: exact under threads, and bounded whatever names senders invent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from firstcause.intake.metrics import Counts


def test_many_threads_lose_no_count() -> None:
    counts = Counts()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(counts.took, "sentry", 2, {"transaction": 1}, {"error: queue": 3})
            pool.submit(counts.refused, "native", 413)
    assert counts.answer() == {
        "accepted": {"sentry": 800},
        "rejected": {"native": {"too large": 400}},
        "passed": {"sentry": {"transaction": 400}},
        "lost_by_senders": {"sentry": {"error: queue": 1200}},
    }


def test_names_without_end_are_one() -> None:
    counts = Counts()
    for number in range(10_000):
        counts.took("sentry", 0, {f"kind {number}": 1}, {})
    found = counts.passed
    assert len(found) <= 501
    assert sum(found.values()) == 10_000
    assert found["sentry", "other"] == 9500


def test_a_status_without_a_word_is_itself() -> None:
    counts = Counts()
    counts.refused("otlp", 418)
    assert counts.rejected == {("otlp", "418"): 1}
