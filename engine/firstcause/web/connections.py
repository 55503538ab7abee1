"""Limits of connections: how many, by whom, how large a header, and how long a request may take to arrive.

uvicorn has none of these limits; its hooks for a protocol class of one's own are all that is needed here.
"""

from __future__ import annotations

import ipaddress
import logging
import resource
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

log = logging.getLogger("firstcause.web")

MAX_HEADER_BYTES = 64 * 1024
"""Bytes of a request's line and headers."""

HEADER_TIMEOUT_S = 10.0
"""Seconds from the connection, or the first byte of a further request, to the end of the headers."""

BODY_WINDOW_S = 10.0
"""Seconds of a body within which at least `MIN_WINDOW_BYTES` must arrive."""

MIN_WINDOW_BYTES = 64 * 1024

BODY_TIMEOUT_S = 300.0
"""Seconds that a body may take as a whole."""

WRITE_TIMEOUT_S = 30.0
"""Seconds that a client may leave an answer unread."""

MAX_CONNECTIONS = 4096

MAX_SOURCE_CONNECTIONS = 512
"""Connections of one address; of IPv6, of one /64."""

LISTEN_BACKLOG = 512
"""Connections that the system may have accepted before a limit is looked at."""

_BODY_GRACE_S = 5.0
"""Seconds for which a body that arrives is not given up for another connection."""

_FILES_WANTED = 16_384
_REPORT_INTERVAL_S = 60.0
_IPV6_PREFIX = 64


def reserve_file_descriptors() -> int:
    """Raise the limit of open files as far as is allowed, and return how many connections it bears.

    A quarter is kept back for the store, rule files and probes; the backlog counts as well, as the event loop
    accepts all of it before it closes any.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES_WANTED and soft != resource.RLIM_INFINITY:
        wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft * 3 // 4 - min(LISTEN_BACKLOG, soft // 4)))


class Stage(Enum):
    """What a connection waits for from its client."""

    IDLE = auto()
    HEADERS = auto()
    BODY = auto()


@dataclass
class Limits:
    """total, per_source: connections. trusted: networks of proxies, which no limit per source applies to."""

    total: int = MAX_CONNECTIONS
    per_source: int = MAX_SOURCE_CONNECTIONS
    trusted: Collection[str] = ()
    header_bytes: int = MAX_HEADER_BYTES
    header_s: float = HEADER_TIMEOUT_S
    body_window_s: float = BODY_WINDOW_S
    body_s: float = BODY_TIMEOUT_S
    write_s: float = WRITE_TIMEOUT_S


class ConnectionTable:
    """All connections by source; closes those that are too many or too slow. Used by the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._trusted = tuple(ipaddress.ip_network(text) for text in limits.trusted)
        self._by_source: dict[str, set[LimitedProtocol]] = {}
        self._count = 0
        self._closed: Counter[str] = Counter()
        self._reported_at = float("-inf")

    def admit(self, connection: LimitedProtocol, now: float) -> bool:
        """Take a connection in, for which a stalled one may have to go. False where there is no place."""
        source = connection.source
        own = self._by_source.get(source, set())
        if len(own) >= self.limits.per_source and not self._is_trusted(source):
            if not self._close_stalled(own, now):
                self._closed["refused, too many of one address"] += 1
                return False
        elif self._count >= self.limits.total:
            largest = max(self._by_source.values(), key=len)
            if not self._close_stalled(largest, now):
                self._closed["refused, too many"] += 1
                return False
        self._by_source.setdefault(source, set()).add(connection)
        self._count += 1
        return True

    def remove(self, connection: LimitedProtocol) -> None:
        own = self._by_source.get(connection.source)
        if own is not None and connection in own:
            own.remove(connection)
            self._count -= 1
            if not own:
                del self._by_source[connection.source]

    def sweep(self, now: float) -> None:
        """Close what takes too long, and say once a minute how many connections were closed or refused."""
        for own in list(self._by_source.values()):
            for connection in list(own):
                if reason := connection.find_timeout(now):
                    self._closed[reason] += 1
                    connection.refuse(408)
                elif connection.is_unread(now):
                    self._closed["answer not read"] += 1
                    connection.abort()
        if self._closed and now - self._reported_at >= _REPORT_INTERVAL_S:
            text = ", ".join(f"{count} {reason}" for reason, count in sorted(self._closed.items()))
            log.warning("connections closed by limits: %s", text)
            self._closed.clear()
            self._reported_at = now

    def _close_stalled(self, connections: set[LimitedProtocol], now: float) -> bool:
        """Close the one that has waited for its client for longest."""
        stalled = [connection for connection in connections if connection.can_give_way(now)]
        if not stalled:
            return False
        victim = min(stalled, key=lambda connection: connection.since)
        self._closed["stalled, to make room"] += 1
        self.remove(victim)
        victim.abort()
        return True

    def _is_trusted(self, source: str) -> bool:
        return bool(self._trusted) and is_in_networks(source, self._trusted)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol for one connection, with limits.

    stage: what the client has to send, since when. A new request begins where its first byte arrives.
    """

    def __init__(
        self, table: ConnectionTable, config: Config, server_state: ServerState, **options: Any
    ) -> None:
        super().__init__(config, server_state, **options)
        self._table = table
        self.source = ""
        self.stage = Stage.HEADERS
        self.since = 0.0
        self._window_started = 0.0
        self._window_bytes = 0
        self._header_bytes = 0
        self._is_refused = False
        self._unread_since: float | None = None
        self._answered_cycle: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        self.source = mask_source(self.client[0]) if self.client else "local"
        if not self._table.admit(self, self.since):
            self.refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.remove(self)
        self._end_cycles()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self.stage is Stage.BODY:
            self._window_bytes += len(data)
        self._header_bytes += len(data)
        super().data_received(data)
        if self.stage is Stage.HEADERS and self._header_bytes > self._table.limits.header_bytes:
            self.refuse(431)
        elif self.stage is Stage.IDLE and self.timeout_keep_alive_task is None and self._is_answered():
            # Line ends between two requests: they begin none, and end uvicorn's own wait.
            self._begin_headers()

    def _is_answered(self) -> bool:
        """Whether no answer is under way, such as the page's stream, during which nothing need arrive."""
        return self.cycle is None or self.cycle.response_complete

    def _begin_headers(self) -> None:
        if self.stage is not Stage.HEADERS:
            self.stage, self.since, self._header_bytes = Stage.HEADERS, self.loop.time(), 0

    def on_message_begin(self) -> None:
        self._begin_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        limit = self._table.limits.header_bytes
        # What has arrived is never less than the headers: mostly that is little, and nothing is summed up.
        if self._header_bytes > limit and self._measure_headers() > limit:
            self.refuse(431)
            return
        self.stage, self.since = Stage.BODY, self.loop.time()
        self._window_started, self._window_bytes = self.since, 0
        super().on_headers_complete()

    def _measure_headers(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            self.stage, self._header_bytes = Stage.IDLE, 0
            super().on_message_complete()

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def refuse(self, status: int) -> None:
        """Answer, where no answer is under way, and close."""
        self._is_refused = True
        answered = self._answered_cycle
        if answered is None or answered.response_complete or not answered.response_started:
            self.transport.write(
                STATUS_LINE[status] + b"content-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
            )
        self._end_cycles()
        self.transport.close()

    def abort(self) -> None:
        """Close without an answer; what the application still writes goes nowhere."""
        self._is_refused = True
        self._end_cycles()
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _end_cycles(self) -> None:
        """Tell the application that its client has gone, and forget the further requests that have arrived.

        uvicorn tells the last request that it has read, which need not be the one that is answered.
        """
        self.pipeline.clear()
        if self._answered_cycle is not None and not self._answered_cycle.response_complete:
            self._answered_cycle.disconnected = True
            self._answered_cycle.message_event.set()

    def find_timeout(self, now: float) -> str | None:
        """Say what takes too long to arrive, if anything does."""
        limits = self._table.limits
        if self._is_refused:
            return None
        if self.stage is Stage.HEADERS:
            return "headers too slow" if now - self.since > limits.header_s else None
        if self.stage is not Stage.BODY or self.flow.read_paused:
            return None
        if now - self.since > limits.body_s:
            return "body too slow"
        if now - self._window_started > limits.body_window_s:
            is_slow = self._window_bytes < MIN_WINDOW_BYTES
            self._window_started, self._window_bytes = now, 0
            return "body too slow" if is_slow else None
        return None

    def is_unread(self, now: float) -> bool:
        """Whether the client has left an answer, or what refused it, unread for too long."""
        return self._unread_since is not None and now - self._unread_since > self._table.limits.write_s

    def can_give_way(self, now: float) -> bool:
        """Whether nothing is lost but a wait if the connection is closed for another."""
        if self._is_refused:
            return False
        if self.stage is Stage.BODY:
            return now - self.since > _BODY_GRACE_S and self._window_bytes < MIN_WINDOW_BYTES
        return self._is_answered()


@lru_cache(4096)
def mask_source(address: str) -> str:
    """Return the address that limits count by: of IPv6 the network, of which each customer has one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False).network_address)


def is_in_networks(address: str, networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address is in one of the networks; a name of none is not."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
