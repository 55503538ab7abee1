"""Probes that load what they need at their first check."""

from __future__ import annotations

import pytest

from firstcause import Reading, Status, lazy_probe, require_library


class Counter:
    made = closed = 0

    def __init__(self) -> None:
        type(self).made += 1

    def check(self) -> Reading:
        return Reading(status=Status.UP, detail=f"made {self.made}")

    def close(self) -> None:
        type(self).closed += 1


def test_the_checker_is_made_once_at_the_first_check() -> None:
    class Own(Counter):
        pass

    probe = lazy_probe("queue", Own, component="shop", code="QUEUE_GONE", interval=5, timeout=2)
    assert (probe.name, probe.component, probe.code, probe.interval, probe.timeout) == (
        "queue", "shop", "QUEUE_GONE", 5, 2,
    )  # fmt: skip
    assert probe.close is not None
    probe.close()
    assert (Own.made, Own.closed) == (0, 0)
    assert [probe.check().detail for _ in range(2)] == ["made 1"] * 2
    probe.close()
    assert Own.closed == 1


def test_a_checker_that_cannot_be_made_is_made_at_the_next_check() -> None:
    class Late(Counter):
        ready = False

        def __init__(self) -> None:
            if not self.ready:
                raise OSError("not yet")
            super().__init__()

    probe = lazy_probe("queue", Late, component="shop", code="QUEUE_GONE")
    with pytest.raises(OSError, match="not yet"):
        probe.check()
    Late.ready = True
    assert probe.check().status is Status.UP


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    require_library("colorsys", "Python")
    with pytest.raises(ModuleNotFoundError) as raised:
        require_library("fctest_missing", "firstcause[missing]")
    assert str(raised.value) == 'fctest_missing is not installed; pip install "firstcause[missing]"'
