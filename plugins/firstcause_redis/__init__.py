"""Probes of Redis servers, one for each table `[plugins.redis.servers.<name>]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Probe, hookimpl, lazy_probe, require_library
from firstcause_redis.config import Config, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause_redis.probe import RedisProbe

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if config.servers:
        require_library("redis", "firstcause[redis]")
    return [_build_probe(name, server) for name, server in config.servers.items()]


def _build_probe(name: str, server: Server) -> Probe:
    def make_checker() -> RedisProbe:
        from firstcause_redis.probe import RedisProbe  # noqa: PLC0415 - it needs the library

        return RedisProbe(server)

    return lazy_probe(
        name,
        make_checker,
        component=server.component,
        code="REDIS_CONNECTION_ERROR",
        interval=server.interval,
        # A check sends several commands, each with a limit of its own.
        timeout=2 * server.timeout + 1,
    )
