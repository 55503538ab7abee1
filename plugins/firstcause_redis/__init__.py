"""Probes of Redis servers, one for each table `[plugins.redis.servers.<name>]`."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from firstcause import Probe, hookimpl
from firstcause_redis.config import Config, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if not config.servers:
        return []
    if importlib.util.find_spec("redis") is None:
        raise ModuleNotFoundError('redis-py is not installed; pip install "firstcause[redis]"')
    return [_build_probe(name, server) for name, server in config.servers.items()]


def _build_probe(name: str, server: Server) -> Probe:
    from firstcause_redis.probe import RedisProbe  # noqa: PLC0415 - it needs the library

    probe = RedisProbe(server)
    return Probe(
        name=name,
        component=server.component,
        check=probe.check,
        close=probe.close,
        code="REDIS_CONNECTION_ERROR",
        interval=server.interval,
        # Several questions are asked, each with its own limit.
        timeout=2 * server.timeout + 1,
    )
