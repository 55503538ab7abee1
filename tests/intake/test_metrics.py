"""Counting what came in: exact under threads, and bounded whatever names senders invent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from firstcause.intake.metrics import IntakeMetrics


def test_many_threads_lose_no_count() -> None:
    counts = IntakeMetrics()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(counts.record_accepted, "sentry", 2, {"transaction": 1}, {"error: queue": 3})
            pool.submit(counts.record_rejected, "native", 413)
    assert counts.to_dict() == {
        "accepted": {"sentry": 800},
        "rejected": {"native": {"too large": 400}},
        "passed": {"sentry": {"transaction": 400}},
        "lost_by_senders": {"sentry": {"error: queue": 1200}},
    }


def test_names_without_end_are_one() -> None:
    counts = IntakeMetrics()
    for number in range(10_000):
        counts.record_accepted("sentry", 0, {f"kind {number}": 1}, {})
    found = counts.ignored
    assert len(found) <= 501
    assert sum(found.values()) == 10_000
    assert found["sentry", "other"] == 9500


def test_a_status_without_a_word_is_itself() -> None:
    counts = IntakeMetrics()
    counts.record_rejected("otlp", 418)
    assert counts.rejected == {("otlp", "418"): 1}
