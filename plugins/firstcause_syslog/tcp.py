"""Streams, framed by octet counts or by line ends (RFC 6587). While the store has no room, senders wait."""

from __future__ import annotations

import logging
import selectors
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause import FirstcauseError
from firstcause_syslog.joining import MessageJoiner
from firstcause_syslog.message import MAX_MESSAGE_BYTES
from firstcause_syslog.udp import bind_socket

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from firstcause import IntakeResult, Submit
    from firstcause_syslog.parser import Parser

log = logging.getLogger("firstcause.syslog")

_SELECT_TIMEOUT_S = 0.3
_CHUNK_BYTES = 64 * 1024
_BACKLOG = 128
_MAX_COUNT_DIGITS = 7
_MIN_WAIT_S, _MAX_WAIT_S = 0.5, 10.0


@dataclass
class Stream:
    """What a connection has sent of an incomplete message.

    peer: the address. source: the address and port. skipping: inside a line that is too long.
    """

    peer: str
    source: str = ""
    buffer: bytearray = field(default_factory=bytearray)
    skipping: bool = False

    def take_messages(self, chunk: bytes, *, ended: bool = False) -> Iterator[bytes]:
        """Those that are whole now; at the end what is left is one too. ValueError for a wrong count."""
        self.buffer += chunk
        while self.buffer:
            frame = (
                self._take_counted() if self.buffer[:1].isdigit() and not self.skipping else self._take_line()
            )
            if frame is None:
                break
            if frame:
                yield frame
        if ended and self.buffer and not self.skipping:
            yield bytes(self.buffer)

    def _take_counted(self) -> bytes | None:
        """`LENGTH MESSAGE`; None where it is not there yet."""
        head, space, _ = bytes(self.buffer[: _MAX_COUNT_DIGITS + 1]).partition(b" ")
        if not space and head.isdigit() and len(head) <= _MAX_COUNT_DIGITS:
            return None
        if not space or not head.isdigit():
            return self._take_line()
        length, start = int(head), len(head) + 1
        if length > 2 * MAX_MESSAGE_BYTES:
            msg = f"a message of {length} bytes is announced"
            raise ValueError(msg)
        if len(self.buffer) < start + length:
            return None
        message = bytes(self.buffer[start : start + length])
        del self.buffer[: start + length]
        return message

    def _take_line(self) -> bytes | None:
        """Up to a line's end, or to a NUL, which some send."""
        ends = [position for position in (self.buffer.find(b"\n"), self.buffer.find(b"\0")) if position >= 0]
        if not ends:
            if len(self.buffer) <= MAX_MESSAGE_BYTES:
                return None
            line, self.skipping = b"" if self.skipping else bytes(self.buffer[:MAX_MESSAGE_BYTES]), True
            self.buffer.clear()
            return line
        line = b"" if self.skipping else bytes(self.buffer[: min(ends)])
        self.skipping = False
        del self.buffer[: min(ends) + 1]
        return line


class TcpServer:
    """All connections in one thread. connections: so many at once; others are closed."""

    def __init__(self, host: str, port: int, parser: Parser, connections: int) -> None:
        self._address = (host, port)
        self._joiner = MessageJoiner(parser)
        self._max_connections = connections

    def run(self, submit: Submit, stop: threading.Event) -> None:
        """Until stopped."""
        with (
            bind_socket(*self._address, socket.SOCK_STREAM) as listener,
            selectors.DefaultSelector() as selector,
        ):
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
            try:
                while not stop.is_set():
                    self._receive_messages(selector, listener)
                    _store_with_retry(self._joiner.take_ready(datetime.now(UTC)), submit, stop)
                _store_with_retry(self._joiner.take_ready(None), submit, stop)
            finally:
                for key in list(selector.get_map().values()):
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not listener:
                        key.fileobj.close()

    def _receive_messages(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        for key, _ in selector.select(_SELECT_TIMEOUT_S):
            if key.fileobj is listener:
                self._accept_connection(selector, listener)
            elif isinstance(key.fileobj, socket.socket):
                self._read_connection(selector, key.fileobj, key.data)

    def _accept_connection(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        try:
            connection, peer = listener.accept()
        except OSError:
            return
        if len(selector.get_map()) > self._max_connections:
            log.warning("syslog: %s is turned away, there are %d connections", peer[0], self._max_connections)
            connection.close()
            return
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, Stream(str(peer[0]), f"{peer[0]}:{peer[1]}"))

    def _read_connection(
        self, selector: selectors.BaseSelector, connection: socket.socket, stream: Stream
    ) -> None:
        try:
            chunk = connection.recv(_CHUNK_BYTES)
            messages = list(stream.take_messages(chunk, ended=not chunk))
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            log.warning("syslog: the connection of %s is closed: %s", stream.peer, error)
            chunk, messages = b"", []
        now = datetime.now(UTC)
        for message in messages:
            self._joiner.add_message(message, stream.source, stream.peer, now, by_stream=True)
        if not chunk:
            selector.unregister(connection)
            connection.close()
            self._joiner.end_source(stream.source)


def _store_with_retry(result: IntakeResult, submit: Submit, stop: threading.Event) -> None:
    """Try until it is stored; meanwhile nothing is read, and the senders' own queues fill."""
    if not result.events and not result.ignored:
        return
    wait = _MIN_WAIT_S
    while True:
        try:
            submit(result)
        except FirstcauseError as error:
            if stop.is_set():
                log.error("%d messages by TCP are lost: %s", len(result.events), error)  # noqa: TRY400 - one line
                return
            log.warning("syslog waits %g s, for the store has no room: %s", wait, error)
            stop.wait(wait)
            wait = min(wait * 2, _MAX_WAIT_S)
        else:
            return
