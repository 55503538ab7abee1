"""`[plugins.redis]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firstcause import SecretUrl


class Server(BaseModel):
    """One server. Beyond its limits it is DEGRADED; everything else is only measured.

    degraded_ms: of a PING. memory_share: of maxmemory. clients_share: of maxclients. evictions: keys, and
    slow_commands: entries of the slow log, since the check before. replication_lag_s: of a replica.
    interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretUrl
    component: str = "redis"
    degraded_ms: float = Field(default=100.0, gt=0)
    memory_share: float = Field(default=0.9, gt=0)
    clients_share: float = Field(default=0.9, gt=0)
    evictions: int = Field(default=0, ge=0)
    slow_commands: int = Field(default=10, ge=0)
    replication_lag_s: float = Field(default=30.0, ge=0)
    interval: float = Field(default=30.0, ge=1)
    timeout: float = Field(default=5.0, gt=0, le=120)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    servers: dict[str, Server] = Field(default_factory=dict)
