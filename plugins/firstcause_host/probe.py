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

_FILE_NR_PATH = Path("/proc/sys/fs/file-nr")

_MIN_PERIOD_S = 1.0
"""Seconds; over less a processor is busy or idle by chance, and with our own start."""


def _read_cpu_times() -> tuple[float, float]:
    """Seconds that the processors were busy since the machine started, and all seconds."""
    times = psutil.cpu_times()._asdict()
    # The time of guests is in that of users already.
    total = sum(value for name, value in times.items() if not name.startswith("guest"))
    return total - times["idle"] - times.get("iowait", 0.0), total


@dataclass
class CpuUsage:
    """How busy the processors were between two checks.

    psutil.cpu_percent() remembers per thread, and each check has a thread of its own.
    """

    _measured_at: float = field(default_factory=time.monotonic)
    _previous_times: tuple[float, float] = field(default_factory=_read_cpu_times)

    def measure_busy_share(self) -> float | None:
        """Share of 1; None at the first check, or right after another."""
        now, times = time.monotonic(), _read_cpu_times()
        (busy, total), (busy_before, total_before) = times, self._previous_times
        long_enough = now - self._measured_at >= _MIN_PERIOD_S and total > total_before
        self._measured_at, self._previous_times = now, times
        return (busy - busy_before) / (total - total_before) if long_enough else None


def check_host(config: Config, cpu_usage: CpuUsage) -> Reading:
    findings = Findings()
    summary = _measure_processor(findings, config, cpu_usage.measure_busy_share())
    memory = psutil.virtual_memory()
    # Available without swapping: caches do not count as used.
    used = 1 - memory.available / memory.total
    findings.measure("memory_share", used, maximum=config.memory_share, code="HOST_MEMORY_LOW")
    swap = psutil.swap_memory()
    if swap.total:
        findings.measure("swap_share", swap.used / swap.total)
    for name, path in config.disks.items():
        _measure_disk(findings, config, name, path)
    _measure_descriptors(findings, config)
    findings.record_latency()
    return findings.reading(f"{summary}, memory {used:.0%}")


def _measure_processor(findings: Findings, config: Config, busy: float | None) -> str:
    """Check the load. A busy processor alone is not a problem; more waiting processes than it can run are."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    findings.measure("load_per_cpu", load)
    if busy is None:
        return f"load {load:.2f} a processor"
    findings.measure("cpu_share", busy)
    summary = f"processor {busy:.0%}, load {load:.2f} a processor"
    if busy > config.cpu_share and load > config.load_per_cpu:
        findings.degraded(f"saturated: {summary}", "HOST_CPU_SATURATED")
    return summary


def _measure_disk(findings: Findings, config: Config, name: str, path: str) -> None:
    try:
        usage, filesystem = psutil.disk_usage(path), os.statvfs(path)
    except OSError as error:
        findings.degraded(f"disk {name}: {path} cannot be read: {error.strerror}", "HOST_DISK_ERRORS")
        return
    share = usage.percent / 100
    findings.measure(f"disk_{name}_share", share)
    if share >= config.disk_full:
        findings.down(f"disk {name} ({path}) is full: {share:.1%}", "HOST_DISK_FULL")
    elif share > config.disk_share:
        findings.degraded(f"disk {name} ({path}) fills: {share:.1%}", "HOST_DISK_FILLING")
    if filesystem.f_files:
        inodes = 1 - filesystem.f_favail / filesystem.f_files
        limit, code = config.inodes_share, "HOST_INODES_EXHAUSTED"
        findings.measure(f"inodes_{name}_share", inodes, maximum=limit, code=code)


def _measure_descriptors(findings: Findings, config: Config) -> None:
    if not _FILE_NR_PATH.is_file():
        return
    used, _free, maximum = (int(field) for field in _FILE_NR_PATH.read_text().split())
    limit, code = config.descriptors_share, "HOST_FILE_DESCRIPTORS_EXHAUSTED"
    findings.measure("descriptors_share", used / maximum, maximum=limit, code=code)
