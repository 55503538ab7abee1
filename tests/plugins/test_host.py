"""The host probe on this very machine: the numbers are the kernel's, the limits are moved to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import firstcause_host
from firstcause import Reading, Status

if TYPE_CHECKING:
    from pathlib import Path


def look(**settings: object) -> Reading:
    config = firstcause_host.Config.model_validate({"watch": True, "cpu_share": 2} | settings)
    (probe,) = firstcause_host.firstcause_probes(config)
    assert (probe.name, probe.component) == ("host", "host")
    return probe.check()


def codes(reading: Reading) -> set[str | None]:
    return {reading.code, *(each.code for each in reading.further)} - {None}


def test_it_looks_only_where_it_is_asked_to() -> None:
    assert firstcause_host.firstcause_probes(firstcause_host.Config()) == []


def test_its_numbers_are_shares() -> None:
    reading = look(memory_share=2, disk_share=2, disk_full=2, inodes_share=2, descriptors_share=2)
    assert reading.status is Status.UP, reading
    assert {"cpu_share", "memory_share", "disk_root_share", "descriptors_share"} <= reading.data.keys()
    shares = [value for name, value in reading.data.items() if name.endswith("_share")]
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in shares)


def test_each_limit_has_its_error() -> None:
    tiny = 1e-9
    full = look(memory_share=tiny, disk_share=tiny, disk_full=tiny, inodes_share=tiny, descriptors_share=tiny)
    assert (full.status, full.code) == (Status.DOWN, "HOST_DISK_FULL")
    assert {"HOST_DISK_FULL", "HOST_MEMORY_LOW", "HOST_FILE_DESCRIPTORS_EXHAUSTED"} <= codes(full)
    filling = look(memory_share=2, disk_share=tiny, disk_full=2, inodes_share=2, descriptors_share=2)
    assert (filling.status, codes(filling)) == (Status.DEGRADED, {"HOST_DISK_FILLING"})


def test_a_disk_that_is_not_there_is_said_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    reading = look(
        disks={"data": str(tmp_path / "none"), "tmp": str(tmp_path)},
        memory_share=2,
        disk_share=2,
        disk_full=2,
    )
    assert "HOST_DISK_ERRORS" in codes(reading)
    assert "disk_tmp_share" in reading.data
