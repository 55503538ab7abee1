"""Time limits for a whole conversation, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from firstcause import describe_connection_error, open_socket, run_with_time_limit
from support.database_servers import free_port
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def greeter() -> Iterator[int]:
    """The port of a server that speaks first, as mail servers do, and then echoes one line."""

    def serve() -> None:
        conn, _ = listener.accept()
        with conn:
            conn.sendall(b"hello\n")
            conn.sendall(conn.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_a_socket_is_connected_and_nothing_of_it_is_read(greeter: int) -> None:
    with open_socket("127.0.0.1", greeter, 5) as opened:
        assert opened.gettimeout() == 5
        assert opened.recv(100) == b"hello\n"
        opened.sendall(b"echo")
        assert opened.recv(100) == b"echo"


def test_an_address_that_swallows_does_not_hold_up_the_next(
    greeter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolve_to_swallowing_first("shop.example", greeter, monkeypatch):
        began = time.monotonic()
        with open_socket("shop.example", greeter, 20) as opened:
            assert time.monotonic() - began < 15
            assert opened.getpeername() == ("127.0.0.1", greeter)
            assert opened.recv(100) == b"hello\n"
            opened.sendall(b"bye")


def test_what_keeps_a_socket_from_being_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with pytest.raises(ConnectionRefusedError) as refused:
        open_socket("127.0.0.1", port, 5)
    assert describe_connection_error(refused.value) == "ConnectionRefusedError: Connection refused"
    with pytest.raises(socket.gaierror):
        open_socket("no-such-host.invalid", port, 20)
    with (
        resolve_to_swallowing_first("shop.example", port, monkeypatch),
        pytest.raises(OSError, match=r"refused|answers within"),
    ):
        open_socket("shop.example", port, 0.5)


def test_a_coroutine_that_does_not_end_in_time_is_cancelled() -> None:
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        run_with_time_limit(hang, 0.05)
    assert cancelled.is_set()


def test_a_name_server_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_args: object, **_options: object) -> list[object]:
        release.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(TimeoutError, match=r"no address of shop\.example answers within 0\.1 s"):
            open_socket("shop.example", 80, 0.1)
    finally:
        release.set()
