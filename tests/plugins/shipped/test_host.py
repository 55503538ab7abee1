"""The host probe on this very machine: the numbers are the kernel's, the limits are moved to them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import firstcause_host
from firstcause import Reading, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def probe(**settings: object) -> Callable[[], Reading]:
    config = firstcause_host.Config.model_validate({"watch": True, "cpu_share": 2} | settings)
    (made,) = firstcause_host.firstcause_probes(config)
    assert (made.name, made.component) == ("host", "host")
    return made.check


def look(**settings: object) -> Reading:
    return probe(**settings)()


def in_a_thread_of_its_own(check: Callable[[], Reading]) -> Reading:
    found: list[Reading] = []
    thread = threading.Thread(target=lambda: found.append(check()))
    thread.start()
    thread.join(10)
    return found[0]


def codes(reading: Reading) -> set[str | None]:
    return {reading.code, *(each.code for each in reading.problems)} - {None}


def test_it_looks_only_where_it_is_asked_to() -> None:
    assert firstcause_host.firstcause_probes(firstcause_host.Config()) == []


def test_its_numbers_are_shares() -> None:
    reading = look(memory_share=2, disk_share=2, disk_full=2, inodes_share=2, descriptors_share=2)
    assert reading.status is Status.UP, reading
    assert {"load_per_cpu", "memory_share", "disk_root_share", "descriptors_share"} <= reading.data.keys()
    shares = [value for name, value in reading.data.items() if name.endswith("_share")]
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in shares)


def test_each_limit_has_its_error() -> None:
    tiny = 1e-9
    full = look(memory_share=tiny, disk_share=tiny, disk_full=tiny, inodes_share=tiny, descriptors_share=tiny)
    assert (full.status, full.code) == (Status.DOWN, "HOST_DISK_FULL")
    assert {"HOST_DISK_FULL", "HOST_MEMORY_LOW", "HOST_FILE_DESCRIPTORS_EXHAUSTED"} <= codes(full)
    filling = look(memory_share=2, disk_share=tiny, disk_full=2, inodes_share=2, descriptors_share=2)
    assert (filling.status, codes(filling)) == (Status.DEGRADED, {"HOST_DISK_FILLING"})


def test_the_processor_is_judged_by_the_time_between_two_looks_whatever_thread_they_are_in() -> None:
    limits = {"cpu_share": 1e-9, "load_per_cpu": 0, "memory_share": 2, "disk_share": 2, "disk_full": 2}
    check = probe(**limits)
    patient = probe(**limits | {"load_per_cpu": 1e6})
    first = in_a_thread_of_its_own(check)
    assert "cpu_share" not in first.data
    assert "HOST_CPU_SATURATED" not in codes(first)
    # What came before the look is nothing to it, and this is: all processors are kept busy.
    spin = "import time; until = time.monotonic() + 1.5\nwhile time.monotonic() < until: pass"
    busy = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(os.cpu_count() or 1)]
    for each in busy:
        each.wait(30)
    second = in_a_thread_of_its_own(check)
    assert isinstance(share := second.data["cpu_share"], float)
    assert 0.3 < share <= 1
    assert (second.status, second.code) == (Status.DEGRADED, "HOST_CPU_SATURATED")
    assert second.detail.startswith("saturated: processor ")
    assert "HOST_CPU_SATURATED" not in codes(in_a_thread_of_its_own(patient)), "busy, and nothing waits"
    assert "cpu_share" not in in_a_thread_of_its_own(check).data, "a moment is too short to judge by"


def test_a_disk_that_is_not_there_is_said_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    reading = look(
        disks={"data": str(tmp_path / "none"), "tmp": str(tmp_path)},
        memory_share=2,
        disk_share=2,
        disk_full=2,
    )
    assert "HOST_DISK_ERRORS" in codes(reading)
    assert "disk_tmp_share" in reading.data
