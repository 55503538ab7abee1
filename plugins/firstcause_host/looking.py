"""Looks at this machine. All of it is read from the kernel, so it costs next to nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_host import Config

_DESCRIPTORS = Path("/proc/sys/fs/file-nr")


def look(config: Config) -> Reading:
    found = Findings()
    # Over the time since the last look; the first look after the start says 0.
    busy = psutil.cpu_percent(interval=None) / 100
    found.measure("cpu_share", busy, most=config.cpu_share, code="HOST_CPU_SATURATED")
    found.measure("load_per_cpu", os.getloadavg()[0] / (os.cpu_count() or 1))
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
    return found.reading(f"processor {busy:.0%}, memory {used:.0%}")


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
