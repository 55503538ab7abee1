"""Looks at one Redis server. The connection is kept between checks, and dropped with any error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause_redis.config import Server

_BY_WORDS = (
    ("max number of clients", "REDIS_MAX_CLIENTS"),
    ("out of memory", "REDIS_OUT_OF_MEMORY"),
    ("command not allowed when used memory", "REDIS_OUT_OF_MEMORY"),
    ("clusterdown", "REDIS_CLUSTER_ERROR"),
)
_PERSISTENCE = {"rdb_last_bgsave_status": "RDB snapshot", "aof_last_write_status": "AOF write"}
_UNREACHABLE = "REDIS_CONNECTION_ERROR"


class Looking:
    """What one server's counters were at the last check, besides its connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: Any = None
        self._before: dict[str, float] = {}

    def look(self) -> Reading:
        found = Findings()
        try:
            self._asked(found)
        except redis.RedisError as error:
            self.close()
            found.down(*_why(error))
        except (OSError, ValueError) as error:
            self.close()
            found.down(f"{type(error).__name__}: {error}", _UNREACHABLE)
        return found.reading("PONG")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _asked(self, found: Findings) -> None:
        server = self._server
        if self._client is None:
            self._client = redis.Redis.from_url(
                server.url.get_secret_value(),
                socket_timeout=server.timeout,
                socket_connect_timeout=server.timeout,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
                client_name="firstcause",
            )
            # The first answer would include the way there; that of a connection that stands does not.
            self._client.ping()
            found.restart()
        self._client.ping()
        found.answered(server.degraded_ms, "REDIS_SLOW")
        try:
            info = self._client.info()
        except redis.exceptions.NoPermissionError:
            return
        self._memory(found, info)
        self._clients(found, info)
        self._persistence(found, info)
        self._replication(found, info)
        self._slow(found)
        found.measure("version", info.get("redis_version"))

    def _since(self, name: str, value: float) -> float | None:
        """By how much a counter grew since the last check; None at the first, and after a restart."""
        before = self._before.get(name)
        self._before[name] = value
        return value - before if before is not None and value >= before else None

    def _memory(self, found: Findings, info: Mapping[str, Any]) -> None:
        used, most = info.get("used_memory"), info.get("maxmemory", 0)
        found.measure("used_memory_bytes", used)
        if used is not None and most:
            code = "REDIS_OUT_OF_MEMORY" if info.get("maxmemory_policy") == "noeviction" else None
            # With a policy that evicts, a full memory is as it should be.
            limit = self._server.memory_share if code else None
            found.measure("memory_share", used / most, most=limit, code=code)
        evicted = self._since("evicted_keys", info.get("evicted_keys", 0))
        found.measure("evicted_keys", evicted, most=self._server.evictions, code="REDIS_EVICTIONS")

    def _clients(self, found: Findings, info: Mapping[str, Any]) -> None:
        connected, most = info.get("connected_clients"), info.get("maxclients")
        found.measure("connected_clients", connected)
        if connected is not None and most:
            limit = self._server.clients_share
            found.measure("clients_share", connected / most, most=limit, code="REDIS_MAX_CLIENTS")

    def _persistence(self, found: Findings, info: Mapping[str, Any]) -> None:
        failed = [what for field, what in _PERSISTENCE.items() if info.get(field, "ok") != "ok"]
        if failed:
            found.degraded(f"the last {' and the last '.join(failed)} failed", "REDIS_PERSISTENCE_FAILED")
        found.measure("unsaved_changes", info.get("rdb_changes_since_last_save"))

    def _replication(self, found: Findings, info: Mapping[str, Any]) -> None:
        found.measure("role", info.get("role"))
        if info.get("role") != "slave":
            return
        if info.get("master_link_status") != "up":
            found.degraded("the replica has no way to its master", _UNREACHABLE)
        lag = float(info.get("master_last_io_seconds_ago", -1))
        if lag >= 0:
            found.measure("replication_lag_s", lag, most=self._server.replication_lag_s)

    def _slow(self, found: Findings) -> None:
        try:
            newest = self._client.slowlog_get(1)
        except redis.exceptions.ResponseError:
            return  # managed servers forbid it
        number = float(newest[0]["id"]) + 1 if newest else 0.0
        slow = self._since("slowlog", number)
        found.measure("slow_commands", slow, most=self._server.slow_commands, code="REDIS_SLOW")


def _why(error: redis.RedisError) -> tuple[str, str]:
    """What to tell a person, and the error's code."""
    said = " ".join(str(error).split())[:300]
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return said, "REDIS_AUTH_FAILED"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return f"it loads its data: {said}", _UNREACHABLE
    by_words = (code for words, code in _BY_WORDS if words in said.lower())
    return said, next(by_words, _UNREACHABLE)
