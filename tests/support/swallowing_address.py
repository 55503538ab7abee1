"""A name with two addresses, of which the first swallows: it neither accepts nor refuses connections."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SWALLOWING_ADDRESS = "127.0.0.2"


@contextlib.contextmanager
def resolve_to_swallowing_first(name: str, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a name the addresses 127.0.0.2, where the port swallows, and 127.0.0.1. Only the name service is
    replaced.
    """
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
        for host in (SWALLOWING_ADDRESS, "127.0.0.1")
    ]
    resolve = socket.getaddrinfo

    def look_up(host: str | bytes | None, *rest: Any, **more: Any) -> Any:
        return addresses if host in {name, name.encode()} else resolve(host, *rest, **more)

    with swallow_connections(port), monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        yield


@contextlib.contextmanager
def swallow_connections(port: int) -> Iterator[None]:
    """Nobody takes connections from this queue, and it is full: the kernel drops further ones."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((SWALLOWING_ADDRESS, port))
        listener.listen(0)
        for _ in range(2):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((SWALLOWING_ADDRESS, port))
        yield
