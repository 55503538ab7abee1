"""Receives datagrams. Their senders cannot be slowed down: what finds no room is dropped and logged."""

from __future__ import annotations

import logging
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause import FirstcauseError
from firstcause_syslog.joining import MessageJoiner
from firstcause_syslog.message import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    import threading

    from firstcause import IntakeResult, Submit
    from firstcause_syslog.parser import Parser

log = logging.getLogger("firstcause.syslog")

_POLL_INTERVAL_S = 0.3
"""Seconds between looks at whether it is time to stop."""

_MAX_BATCH = 500
_SO_RXQ_OVFL = 40
"""Linux's option, which the module socket does not name: the count of dropped datagrams comes with each."""

_ANCILLARY_BYTES = 64
_RECEIVE_BUFFER_BYTES = 4 << 20
"""Bytes that the kernel may hold for us while a batch is stored; it may give less."""


def bind_socket(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A socket at that address. OSError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    log.info("syslog listens on %s port %s (%s)", host, port, kind.name)
    return sock


class DatagramReceiver:
    """Receives datagrams, and counts those that the kernel had no room for, where it says so (Linux)."""

    def __init__(self, sock: socket.socket, joiner: MessageJoiner) -> None:
        self._sock = sock
        self._joiner = joiner
        self._dropped = 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)

    def receive_batch(self) -> None:
        """Receive what has come, up to so many."""
        self._sock.settimeout(_POLL_INTERVAL_S)
        for _ in range(_MAX_BATCH):
            try:
                datagram, ancillary, _flags, peer = self._sock.recvmsg(MAX_MESSAGE_BYTES, _ANCILLARY_BYTES)
            except (TimeoutError, BlockingIOError):
                return
            self._sock.settimeout(0)
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                    self._count_dropped(int.from_bytes(data[:4], sys.byteorder))
            address = str(peer[0])
            self._joiner.add_message(datagram, address, address, datetime.now(UTC), by_stream=False)

    def _count_dropped(self, total: int) -> None:
        """Count by how much the kernel's own count, of 32 bits, has grown."""
        self._joiner.count_ignored("dropped by the kernel", (total - self._dropped) % 2**32)
        self._dropped = total


def listen(host: str, port: int, parser: Parser, submit: Submit, stop: threading.Event) -> None:
    """Until stopped."""
    with bind_socket(host, port, socket.SOCK_DGRAM) as sock:
        joiner = MessageJoiner(parser)
        receiver = DatagramReceiver(sock, joiner)
        while not stop.is_set():
            receiver.receive_batch()
            _store_or_log(joiner.take_ready(datetime.now(UTC)), submit)
        receiver.receive_batch()
        _store_or_log(joiner.take_ready(None), submit)


def _store_or_log(result: IntakeResult, submit: Submit) -> None:
    if not result.events and not result.ignored:
        return
    try:
        submit(result)
    except FirstcauseError as error:
        log.error("%d messages by UDP are lost: %s", len(result.events), error)  # noqa: TRY400 - one line
