"""Probes of MongoDB deployments, one for each table `[plugins.mongodb.servers.<name>]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Probe, SecretUrl, hookimpl, lazy_probe, require_library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause_mongodb.probe import MongoProbe


class Server(BaseModel):
    """One deployment by its URL. Beyond its limits it is DEGRADED; everything else is only measured.

    degraded_ms: of a ping. connections_share: of those allowed. slow_operation_s: from when on an operation
    is slow; slow_operations: so many of them are too many. replication_lag_s: of the slowest secondary,
    without what it is behind on purpose (secondaryDelaySecs). delayed_members: name of a secondary as
    rs.status() shows it -> seconds that it is behind on purpose, where the account may not read that.
    interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretUrl
    component: str = "mongodb"
    degraded_ms: float = Field(default=250.0, gt=0)
    connections_share: float = Field(default=0.85, gt=0)
    slow_operation_s: float = Field(default=30.0, gt=0)
    slow_operations: int = Field(default=0, ge=0)
    replication_lag_s: float = Field(default=30.0, ge=0)
    delayed_members: dict[str, float] = Field(default_factory=dict)
    interval: float = Field(default=30.0, ge=1)
    timeout: float = Field(default=5.0, gt=0, le=120)


class Config(BaseModel):
    """`[plugins.mongodb]`."""

    model_config = ConfigDict(extra="forbid")

    servers: dict[str, Server] = Field(default_factory=dict)


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if config.servers:
        require_library("pymongo", "firstcause[mongodb]")
    return [_build_probe(name, server) for name, server in config.servers.items()]


def _build_probe(name: str, server: Server) -> Probe:
    def make_checker() -> MongoProbe:
        from firstcause_mongodb.probe import MongoProbe  # noqa: PLC0415 - it needs the library

        return MongoProbe(server)

    return lazy_probe(
        name,
        make_checker,
        component=server.component,
        code="DB_CONNECTION_ERROR",
        interval=server.interval,
        # A check sends several commands, each with a limit of its own.
        timeout=2 * server.timeout + 1,
    )
