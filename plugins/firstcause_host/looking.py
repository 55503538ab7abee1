"""Looks at this machine. All of it is read from the kernel, so it costs next to nothing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_host import Config

_DESCRIPTORS = Path("/proc/sys/fs/file-nr")

_SHORTEST = 1.0
"""Seconds; over less a processor is busy or idle by chance, and with our own start."""


def _spent() -> tuple[float, float]:
    """Seconds that the processors were busy since the machine started, and all seconds."""
    times = psutil.cpu_times()._asdict()
    # The time of guests is in that of users already.
    whole = sum(value for name, value in times.items() if not name.startswith("guest"))
    return whole - times["idle"] - times.get("iowait", 0.0), whole


@dataclass
class Processor:
    """How busy the processors were from one look to the next.

    psutil.cpu_percent() remembers by thread, and each look has a thread of its own.
    """

    _since: float = field(default_factory=time.monotonic)
    _spent: tuple[float, float] = field(default_factory=_spent)

    def busy(self) -> float | None:
        """A share of 1; None where the look before was just now, or this is the first."""
        now, spent = time.monotonic(), _spent()
        (busy, whole), (busy_before, whole_before) = spent, self._spent
        long_enough = now - self._since >= _SHORTEST and whole > whole_before
        self._since, self._spent = now, spent
        return (busy - busy_before) / (whole - whole_before) if long_enough else None


def look(config: Config, processor: Processor) -> Reading:
    found = Findings()
    words = _processor(found, config, processor.busy())
    memory = psutil.virtual_memory()
    # What can be had without swapping; caches are no use of memory.
    used = 1 - memory.available / memory.total
    found.measure("memory_share", used, most=config.memory_share, code="HOST_MEMORY_LOW")
    swap = psutil.swap_memory()
    if swap.total:
        found.measure("swap_share", swap.used / swap.total)
    for name, path in config.disks.items():
        _disk(found, config, name, path)
    _descriptors(found, config)
    found.answered()
    return found.reading(f"{words}, memory {used:.0%}")


def _processor(found: Findings, config: Config, busy: float | None) -> str:
    """Busy alone is no fault: it is one where more is waiting than can run."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    found.measure("load_per_cpu", load)
    if busy is None:
        return f"load {load:.2f} a processor"
    found.measure("cpu_share", busy)
    words = f"processor {busy:.0%}, load {load:.2f} a processor"
    if busy > config.cpu_share and load > config.load_per_cpu:
        found.degraded(f"saturated: {words}", "HOST_CPU_SATURATED")
    return words


def _disk(found: Findings, config: Config, name: str, path: str) -> None:
    try:
        usage, files = psutil.disk_usage(path), os.statvfs(path)
    except OSError as error:
        found.degraded(f"disk {name}: {path} cannot be looked at: {error.strerror}", "HOST_DISK_ERRORS")
        return
    share = usage.percent / 100
    found.measure(f"disk_{name}_share", share)
    if share >= config.disk_full:
        found.down(f"disk {name} ({path}) is full: {share:.1%}", "HOST_DISK_FULL")
    elif share > config.disk_share:
        found.degraded(f"disk {name} ({path}) fills: {share:.1%}", "HOST_DISK_FILLING")
    if files.f_files:
        inodes = 1 - files.f_favail / files.f_files
        limit, code = config.inodes_share, "HOST_INODES_EXHAUSTED"
        found.measure(f"inodes_{name}_share", inodes, most=limit, code=code)


def _descriptors(found: Findings, config: Config) -> None:
    if not _DESCRIPTORS.is_file():
        return
    used, _free, most = (int(each) for each in _DESCRIPTORS.read_text().split())
    limit, code = config.descriptors_share, "HOST_FILE_DESCRIPTORS_EXHAUSTED"
    found.measure("descriptors_share", used / most, most=limit, code=code)
