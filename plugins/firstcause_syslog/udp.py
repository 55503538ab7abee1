"""Receives datagrams. Their senders cannot be slowed down: what finds no room is dropped and logged."""

from __future__ import annotations

import logging
import socket
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


def listen(host: str, port: int, parser: Parser, submit: Submit, stop: threading.Event) -> None:
    """Until stopped."""
    with bind_socket(host, port, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        joiner = MessageJoiner(parser)
        while not stop.is_set():
            _receive_batch(sock, joiner)
            _store_or_log(joiner.take_ready(datetime.now(UTC)), submit)
        _store_or_log(joiner.take_ready(None), submit)


def _receive_batch(sock: socket.socket, joiner: MessageJoiner) -> None:
    """What has come, up to so many."""
    sock.settimeout(_POLL_INTERVAL_S)
    for _ in range(_MAX_BATCH):
        try:
            datagram, peer = sock.recvfrom(MAX_MESSAGE_BYTES)
        except (TimeoutError, BlockingIOError):
            return
        sock.settimeout(0)
        address = str(peer[0])
        joiner.add_message(datagram, address, address, datetime.now(UTC), by_stream=False)


def _store_or_log(result: IntakeResult, submit: Submit) -> None:
    if not result.events and not result.ignored:
        return
    try:
        submit(result)
    except FirstcauseError as error:
        log.error("%d messages by UDP are lost: %s", len(result.events), error)  # noqa: TRY400 - one line
