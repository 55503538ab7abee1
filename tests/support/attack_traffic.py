"""Traffic that harms a server without limits, from an address of its own, beside honest senders."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATTACKER_ADDRESS = "127.0.0.2"
"""Its own, so that the limits of one address do not strike the honest ones."""

_BOMB = gzip.compress(bytes(64 << 20))
_NESTED = b"[" * 200_000
_HALF_SENT_CONNECTIONS = 100


def _post(client: httpx.Client, content: bytes, **headers: str) -> None:
    with suppress(httpx.HTTPError):
        client.post("/api/v1/events", content=content, headers=headers)


def _send_bombs(client: httpx.Client, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        _post(client, _BOMB, **{"content-encoding": "gzip"})


def _send_nonsense(client: httpx.Client, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        _post(client, _NESTED)
        _post(client, b'{"code": "\xff"}')
        _post(client, b"x" * 100_000)


def _hold_connections(client: httpx.Client, stop: threading.Event) -> None:
    """Send halves of headers and of bodies, and open new connections for those that were closed."""
    address = urlsplit(str(client.base_url))
    held: list[socket.socket] = []
    while not stop.wait(0.05):
        with suppress(OSError):
            connection = socket.create_connection(
                (address.hostname or "", address.port or 80), 5, (ATTACKER_ADDRESS, 0)
            )
            held.append(connection)
            begin = b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\n"
            connection.sendall(begin + (b"Content-Length: 9999999\r\n\r\n[" if len(held) % 2 else b"X-A: "))
        if len(held) > _HALF_SENT_CONNECTIONS:
            held.pop(0).close()
    for connection in held:
        connection.close()


_KINDS: tuple[Callable[[httpx.Client, threading.Event], None], ...] = (
    _send_bombs,
    _send_nonsense,
    _hold_connections,
)


@contextmanager
def attack(url: str) -> Iterator[None]:
    """Send all kinds of it until the block ends."""
    stop = threading.Event()
    transport = httpx.HTTPTransport(local_address=ATTACKER_ADDRESS)
    with httpx.Client(base_url=url, timeout=10, transport=transport) as client:
        threads = [threading.Thread(target=kind, args=(client, stop)) for kind in _KINDS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
