from __future__ import annotations

from firstcause import Findings, Problem, Reading, Status


def test_without_a_problem_all_is_well() -> None:
    found = Findings()
    found.measure("memory_share", 0.123456, maximum=0.9, code="FULL")
    found.measure("nothing", None, maximum=1)
    found.measure("version", "7.0")
    assert found.reading("PONG") == Reading(
        status=Status.UP, detail="PONG", data={"memory_share": 0.1235, "version": "7.0"}
    )


def test_the_worst_problem_comes_first_and_no_other_is_lost() -> None:
    found = Findings()
    found.measure("memory_share", 0.95, maximum=0.9, code="FULL")
    found.degraded("slow")
    found.down("it is gone", "GONE")
    found.down("and so is that", "GONE_TOO")
    assert found.reading("PONG") == Reading(
        status=Status.DOWN,
        detail="it is gone",
        code="GONE",
        data={"memory_share": 0.95},
        problems=(
            Problem(detail="and so is that", code="GONE_TOO"),
            Problem(detail="memory share is 0.95, over 0.9", code="FULL"),
            Problem(detail="slow"),
        ),
    )


def test_a_slow_answer_is_a_problem() -> None:
    found = Findings()
    found.record_latency(degraded_ms=-1, code="SLOW")
    reading = found.reading("PONG")
    assert (reading.status, reading.code) == (Status.DEGRADED, "SLOW")
    assert reading.latency_ms is not None
    assert reading.detail.endswith("ms, over -1 ms")


def test_only_a_slow_answer_is_momentary() -> None:
    slow = Findings()
    slow.record_latency(-1, "SLOW")
    assert (slow.reading("well").status, slow.reading("well").momentary) == (Status.DEGRADED, True)
    slow.measure("memory_share", 0.95, maximum=0.9)
    assert not slow.reading("well").momentary
    assert not Findings().reading("well").momentary
