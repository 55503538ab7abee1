from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.health.probe_runner import MAX_ABANDONED_CHECKS, ProbeRunner
from firstcause.hookspecs.types import Probe
from firstcause.plugins.thread_leaks import MAX_LEAKED_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def probe(name: str, check: Callable[[], Any], timeout: float = 5.0) -> Probe:
    return Probe(name=name, component=name, check=check, code=f"{name.upper()}_DOWN", timeout=timeout)


def up() -> Reading:
    return Reading(status=Status.UP, detail="fine")


def fails(error: BaseException) -> Callable[[], Reading]:
    def check() -> Reading:
        raise error

    return check


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets go whatever hangs, at the latest when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_a_reading_is_handed_on_with_its_latency() -> None:
    def check() -> Reading:
        time.sleep(0.05)
        return Reading(status=Status.DEGRADED, detail="slow", code="SLOW", data={"queue": 7})

    reading = ProbeRunner().read([probe("one", check)])["one"]
    assert (reading.status, reading.detail, reading.code, reading.data) == (
        Status.DEGRADED, "slow", "SLOW", {"queue": 7},
    )  # fmt: skip
    assert reading.latency_ms is not None
    assert reading.latency_ms >= 45


def test_a_latency_that_the_check_measured_itself_stays() -> None:
    reading = ProbeRunner().read([probe("one", lambda: Reading(status=Status.UP, latency_ms=0.5))])["one"]
    assert reading.latency_ms == 0.5


def test_readings_come_in_the_order_asked_and_side_by_side() -> None:
    together = threading.Barrier(5, timeout=5)

    def check() -> Reading:
        together.wait()
        return up()

    names = ["e", "a", "d", "b", "c"]
    found = ProbeRunner().read([probe(name, check) for name in names])
    assert list(found) == names
    assert {reading.status for reading in found.values()} == {Status.UP}


def test_no_probes_no_readings() -> None:
    assert ProbeRunner().read([]) == {}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("refused\nby peer"), "the check failed: ConnectionError: refused by peer"),
        (TimeoutError("socket timed out"), "the check failed: TimeoutError: socket timed out"),
        (SystemExit(3), "the check failed: SystemExit: 3"),
        (ValueError(), "the check failed: ValueError"),
        (UnprintableError(), "the check failed: UnprintableError"),
    ],
)
def test_one_that_raises_is_down_and_the_others_are_read(error: BaseException, said: str) -> None:
    found = ProbeRunner().read([probe("bad", fails(error)), probe("good", up)])
    assert found["bad"] == Reading(status=Status.DOWN, detail=said, code="BAD_DOWN")
    assert found["good"].status is Status.UP


@pytest.mark.parametrize("nonsense", [None, "UP", 7, {"status": "UP"}, Status.UP])
def test_nonsense_is_down_and_the_others_are_read(nonsense: object) -> None:
    found = ProbeRunner().read([probe("bad", lambda: nonsense), probe("good", up)])
    assert found["bad"].status is Status.DOWN
    assert found["bad"].code == "BAD_DOWN"
    assert found["bad"].detail == f"the check returned {type(nonsense).__name__}, not a Reading"
    assert found["good"].status is Status.UP


def test_one_that_hangs_is_cut_off_and_asked_anew_but_not_for_ever(release: threading.Event) -> None:
    running: list[int] = []

    def hang() -> Reading:
        running.append(1)
        release.wait(20)
        return up()

    prober, probes = ProbeRunner(), [probe("slow", hang, timeout=0.2), probe("good", up)]
    for started in range(1, MAX_ABANDONED_CHECKS + 2):
        found = prober.read(probes)
        assert found["slow"] == Reading(status=Status.DOWN, detail="no answer within 0.2 s", code="SLOW_DOWN")
        assert found["good"].status is Status.UP
        assert len(running) == started

    for _ in range(3):
        found = prober.read(probes)
        assert found["slow"].detail == "earlier checks still hang, the latest for 0 s now"
        assert found["slow"].code == "SLOW_DOWN"
    assert len(running) == MAX_ABANDONED_CHECKS + 1

    release.set()
    until = time.monotonic() + 5
    while (reading := prober.read(probes)["slow"]).status is not Status.UP and time.monotonic() < until:
        time.sleep(0.01)
    assert reading.status is Status.UP


def test_what_was_given_up_does_not_hold_up_what_works_again(release: threading.Event) -> None:
    answers = iter([True, False])

    def check() -> Reading:
        if next(answers):
            release.wait(20)
        return up()

    prober, probes = ProbeRunner(), [probe("one", check, timeout=0.5)]
    assert prober.read(probes)["one"].status is Status.DOWN
    assert prober.read(probes)["one"].status is Status.UP


def test_one_that_raises_after_it_was_cut_off_is_asked_again(release: threading.Event) -> None:
    answers = iter([True, False])

    def check() -> Reading:
        if next(answers):
            release.wait(20)
            raise ConnectionError
        return up()

    prober, probes = ProbeRunner(), [probe("one", check, timeout=0.1)]
    assert prober.read(probes)["one"].status is Status.DOWN
    release.set()
    until = time.monotonic() + 5
    while (reading := prober.read(probes)["one"]).status is not Status.UP and time.monotonic() < until:
        time.sleep(0.01)
    assert reading.status is Status.UP


def test_two_who_ask_at_once_both_get_an_answer() -> None:
    runs: list[int] = []

    def check() -> Reading:
        runs.append(1)
        time.sleep(0.5)
        return up()

    prober = ProbeRunner()
    found: list[Reading] = []
    threads = [
        threading.Thread(target=lambda: found.append(prober.read([probe("one", check)])["one"]))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [reading.status for reading in found] == [Status.UP, Status.UP]
    assert runs == [1]


def test_who_asks_while_it_runs_gets_the_same_check(release: threading.Event) -> None:
    started: list[int] = []

    def check() -> Reading:
        started.append(1)
        release.wait(20)
        return up()

    prober, told = ProbeRunner(), []
    first = prober.begin(probe("one", check), lambda: told.append("first"))
    second = prober.begin(probe("one", check), lambda: told.append("second"))
    assert first is second
    release.set()
    assert first.wait_for_reading().status is Status.UP
    assert started == [1]
    until_said = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < until_said:
        time.sleep(0.01)
    assert sorted(told) == ["first", "second"]


def test_what_it_prints_goes_to_the_log_and_not_into_our_answer(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def check() -> Reading:
        print("hello from a stranger")  # noqa: T201
        return up()

    with caplog.at_level("INFO", "firstcause.host"):
        assert ProbeRunner().read([probe("loud", check)])["loud"].status is Status.UP
    print("our own")  # noqa: T201
    assert capsys.readouterr().out == "our own\n"
    assert "probe loud printed: hello from a stranger" in caplog.text


def test_one_that_leaves_threads_behind_is_stopped_before_they_end_us(release: threading.Event) -> None:
    def leak() -> Reading:
        for _ in range(30):
            threading.Thread(target=release.wait, args=(30,), daemon=True).start()
        return up()

    def borrow() -> Reading:
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
        return up()

    before = threading.active_count()
    prober, probes = ProbeRunner(), [probe("leaks", leak), probe("borrows", borrow)]
    for _ in range(20):
        found = {each.name: prober.read([each])[each.name] for each in probes}
    assert threading.active_count() - before <= MAX_LEAKED_THREADS + 30
    assert (found["leaks"].status, found["leaks"].code) == (Status.DOWN, "LEAKS_DOWN")
    assert "left 120 threads behind" in found["leaks"].detail
    assert found["borrows"].status is Status.UP

    release.set()
    until = time.monotonic() + 5
    while (reading := prober.read(probes)["leaks"]).status is not Status.UP and time.monotonic() < until:
        time.sleep(0.01)
    assert reading.status is Status.UP, "they have ended, and it is asked again"


def test_a_clock_that_is_set_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: -1e9)
    reading = ProbeRunner().read([probe("one", up, timeout=5)])["one"]
    assert reading.latency_ms is not None
    assert 0 <= reading.latency_ms < 5000
