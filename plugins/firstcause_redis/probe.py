"""Looks at one Redis server. The connection is kept between checks, and dropped with any error."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from firstcause import MALFORMED_URL, Findings, Reading, open_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from firstcause_redis.config import Server

_CODES_BY_PHRASE = (
    ("max number of clients", "REDIS_MAX_CLIENTS"),
    ("out of memory", "REDIS_OUT_OF_MEMORY"),
    ("command not allowed when used memory", "REDIS_OUT_OF_MEMORY"),
)
_PERSISTENCE_FIELDS = {"rdb_last_bgsave_status": "RDB snapshot", "aof_last_write_status": "AOF write"}
_UNREACHABLE_CODE = "REDIS_CONNECTION_ERROR"
_DEFAULT_TIMEOUT_S = 5.0


class RedisProbe:
    """Checks one server. Keeps its connection, and its counters from the last check."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: Any = None
        self._previous_values: dict[str, float] = {}

    def check(self) -> Reading:
        findings = Findings()
        try:
            self._run_checks_again(findings)
        except redis.RedisError as error:
            self.close()
            findings.down(*_classify_error(error))
        except OSError as error:
            self.close()
            findings.down(f"{type(error).__name__}: {error}", _UNREACHABLE_CODE)
        return findings.reading("PONG")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _run_checks_again(self, findings: Findings) -> None:
        """Run the checks; on a connection of its own where the one that was kept has ended meanwhile."""
        if self._client is not None:
            try:
                self._run_checks(findings)
            except redis.exceptions.TimeoutError:
                raise
            except redis.exceptions.ConnectionError as error:
                if _classify_error(error)[1] != _UNREACHABLE_CODE:
                    raise
                self.close()
            else:
                return
        self._run_checks(findings)

    def _run_checks(self, findings: Findings) -> None:
        server = self._server
        if self._client is None:
            try:
                self._client = _build_client(server)
            except ValueError:
                findings.down(MALFORMED_URL, _UNREACHABLE_CODE)
                return
            # The first PING includes connecting; the latency is that of an open connection.
            _ping_server(self._client)
            # The name is for people who look at the server's clients; some users may not set it.
            with suppress(redis.ResponseError):
                self._client.client_setname("firstcause")
            findings.restart()
        _ping_server(self._client)
        findings.record_latency(server.degraded_ms, "REDIS_SLOW")
        try:
            info = self._client.info()
        except redis.exceptions.NoPermissionError:
            return
        self._measure_memory(findings, info)
        self._measure_clients(findings, info)
        self._check_persistence(findings, info)
        self._measure_replication(findings, info)
        self._measure_slow_commands(findings)
        self._check_cluster(findings, info)
        # Valkey says a version of Redis as well: that whose commands it has.
        findings.measure("version", info.get("valkey_version") or info.get("redis_version"))

    def _check_cluster(self, findings: Findings, info: Mapping[str, Any]) -> None:
        """A server of a cluster without all its slots answers PING, and refuses every key."""
        if not info.get("cluster_enabled"):
            return
        with suppress(redis.ResponseError):
            state = self._client.execute_command("CLUSTER INFO")
            if isinstance(state, dict) and state.get("cluster_state") != "ok":
                assigned = state.get("cluster_slots_assigned")
                message = f"the cluster's state is {state.get('cluster_state')}: {assigned} of 16384 slots"
                findings.down(message, "REDIS_CLUSTER_ERROR")

    def _growth_since_last(self, name: str, value: float) -> float | None:
        """By how much a counter grew since the last check; None at the first, and after a restart."""
        previous = self._previous_values.get(name)
        self._previous_values[name] = value
        return value - previous if previous is not None and value >= previous else None

    def _measure_memory(self, findings: Findings, info: Mapping[str, Any]) -> None:
        used, maximum = info.get("used_memory"), info.get("maxmemory", 0)
        findings.measure("used_memory_bytes", used)
        if used is not None and maximum:
            code = "REDIS_OUT_OF_MEMORY" if info.get("maxmemory_policy") == "noeviction" else None
            # With a policy that evicts, a full memory is as it should be.
            limit = self._server.memory_share if code else None
            findings.measure("memory_share", used / maximum, maximum=limit, code=code)
        evicted = self._growth_since_last("evicted_keys", info.get("evicted_keys", 0))
        findings.measure("evicted_keys", evicted, maximum=self._server.evictions, code="REDIS_EVICTIONS")

    def _measure_clients(self, findings: Findings, info: Mapping[str, Any]) -> None:
        connected, maximum = info.get("connected_clients"), info.get("maxclients")
        findings.measure("connected_clients", connected)
        if connected is not None and maximum:
            limit = self._server.clients_share
            findings.measure("clients_share", connected / maximum, maximum=limit, code="REDIS_MAX_CLIENTS")

    def _check_persistence(self, findings: Findings, info: Mapping[str, Any]) -> None:
        failed = [
            operation for field, operation in _PERSISTENCE_FIELDS.items() if info.get(field, "ok") != "ok"
        ]
        if failed:
            findings.degraded(f"the last {' and the last '.join(failed)} failed", "REDIS_PERSISTENCE_FAILED")
        findings.measure("unsaved_changes", info.get("rdb_changes_since_last_save"))

    def _measure_replication(self, findings: Findings, info: Mapping[str, Any]) -> None:
        findings.measure("role", info.get("role"))
        if info.get("role") != "slave":
            return
        if info.get("master_link_status") != "up":
            findings.degraded("the replica has no way to its master", _UNREACHABLE_CODE)
        lag = float(info.get("master_last_io_seconds_ago", -1))
        if lag >= 0:
            findings.measure("replication_lag_s", lag, maximum=self._server.replication_lag_s)

    def _measure_slow_commands(self, findings: Findings) -> None:
        try:
            newest = self._client.slowlog_get(1)
        except redis.exceptions.ResponseError:
            return  # managed servers forbid it
        total = float(newest[0]["id"]) + 1 if newest else 0.0
        slow = self._growth_since_last("slowlog", total)
        findings.measure("slow_commands", slow, maximum=self._server.slow_commands, code="REDIS_SLOW")


def _ping_server(client: Any) -> None:
    """Ask for an answer. A refusal that is about the server's own state is one; INFO says more about it."""
    try:
        client.ping()
    except redis.exceptions.MasterDownError:
        return
    except redis.ResponseError as error:
        if not str(error).startswith(("MISCONF", "MASTERDOWN")):
            raise


def _build_client(server: Server) -> Any:
    """ValueError: the URL cannot be read. Its text may hold a part of the password."""
    client = redis.Redis.from_url(
        server.url.get_secret_value(),
        socket_timeout=server.timeout,
        socket_connect_timeout=server.timeout,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        # Version 3 begins with HELLO, which servers before 6.0, many proxies and some users do not have.
        protocol=2,
    )
    pool = client.connection_pool
    pool.connection_class = _CONNECTION_CLASSES.get(pool.connection_class, pool.connection_class)
    return client


class _Connection(redis.Connection):
    """Uses whichever of a host's addresses answers first; the library spends the whole time on each."""

    def _connect(self) -> socket.socket:
        return open_socket(self.host, int(self.port), self.socket_connect_timeout or _DEFAULT_TIMEOUT_S)


class _TlsConnection(redis.SSLConnection, _Connection):
    pass


_CONNECTION_CLASSES = {redis.Connection: _Connection, redis.SSLConnection: _TlsConnection}


def _classify_error(error: redis.RedisError) -> tuple[str, str]:
    """Return the message for people, and the error's code."""
    message = " ".join(str(error).split())[:300]
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return message, "REDIS_AUTH_FAILED"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return f"it loads its data: {message}", _UNREACHABLE_CODE
    if isinstance(error, redis.exceptions.ClusterDownError) or message.startswith("CLUSTERDOWN"):
        return message, "REDIS_CLUSTER_ERROR"
    codes = (code for phrase, code in _CODES_BY_PHRASE if phrase in message.lower())
    return message, next(codes, _UNREACHABLE_CODE)
