"""Probes that load what they need at their first check."""

from __future__ import annotations

import shlex
import sys
import threading

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


def test_a_checker_whose_check_hangs_is_given_up_and_closed_when_it_returns() -> None:
    release, hanging = threading.Event(), threading.Event()

    class Stuck(Counter):
        def check(self) -> Reading:
            if self.made == 1:
                hanging.set()
                release.wait(20)
            return super().check()

    probe = lazy_probe("queue", Stuck, component="shop", code="QUEUE_GONE")
    thread = threading.Thread(target=probe.check)
    thread.start()
    assert hanging.wait(5)
    assert [probe.check().detail for _ in range(2)] == ["made 2"] * 2
    assert Stuck.closed == 0
    release.set()
    thread.join(5)
    assert (Stuck.made, Stuck.closed) == (2, 1)


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    require_library("colorsys", "Python")
    with pytest.raises(ModuleNotFoundError) as raised:
        require_library("fctest_missing", "firstcause[missing]")
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    assert str(raised.value) == f'fctest_missing is not installed; run: {pip} "firstcause[missing]"'


def test_an_extra_is_named_by_what_it_stands_for() -> None:
    with pytest.raises(ModuleNotFoundError, match=r'-m pip install "redis>=5.2"$'):
        require_library("fctest_missing", "firstcause[redis]")
