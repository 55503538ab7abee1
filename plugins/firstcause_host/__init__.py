"""The probe "host": processor, memory, disks and file descriptors of this machine. `[plugins.host]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Probe, hookimpl, require_library

if TYPE_CHECKING:
    from collections.abc import Sequence


class Config(BaseModel):
    """Shares are of 1; beyond them it is DEGRADED. disks: name -> a path on each file system to watch.

    cpu_share and load_per_cpu must both be passed; the load is what runs or waits to, a minute's mean.
    watch: whether this machine is checked. disk_full: the share from which on a disk counts as full.
    interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    watch: bool = False
    component: str = "host"
    disks: dict[str, str] = Field(default_factory=lambda: {"root": "/"})
    cpu_share: float = Field(default=0.95, gt=0)
    load_per_cpu: float = Field(default=1.0, ge=0)
    memory_share: float = Field(default=0.92, gt=0)
    disk_share: float = Field(default=0.9, gt=0)
    disk_full: float = Field(default=0.98, gt=0)
    inodes_share: float = Field(default=0.9, gt=0)
    descriptors_share: float = Field(default=0.9, gt=0)
    interval: float = Field(default=30.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if not config.watch:
        return []
    require_library("psutil", "firstcause[host]")
    from firstcause_host.probe import CpuUsage, check_host  # noqa: PLC0415 - they need the library

    cpu_usage = CpuUsage()
    return [
        Probe(
            name="host",
            component=config.component,
            check=lambda: check_host(config, cpu_usage),
            code="HOST_UNREACHABLE",
            interval=config.interval,
            timeout=config.timeout,
        )
    ]
