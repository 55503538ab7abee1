"""Datagrams. Nobody can tell their senders to wait: what finds no room is lost, and said in the log."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause import FirstcauseError
from firstcause_syslog.message import LONGEST

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from firstcause import Event, Submit
    from firstcause_syslog.message import Reader

log = logging.getLogger("firstcause.syslog")

_LOOK = 0.3
"""Seconds between looks at whether it is time to stop."""

_AT_ONCE = 500
_ROOM = 4 << 20
"""Bytes that the kernel may hold for us while a batch is stored; it may give less."""


def bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A socket at that address. OSError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    log.info("syslog listens on %s port %s (%s)", host, port, kind.name)
    return made


def listen(host: str, port: int, reader: Reader, submit: Submit, stop: threading.Event) -> None:
    """Until stopped."""
    with bound(host, port, socket.SOCK_DGRAM) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        while not stop.is_set():
            if events := list(_waiting(place, reader)):
                _store(events, submit)


def _waiting(place: socket.socket, reader: Reader) -> Iterator[Event]:
    """What has come, up to so many."""
    place.settimeout(_LOOK)
    for _ in range(_AT_ONCE):
        try:
            sent, peer = place.recvfrom(LONGEST)
        except (TimeoutError, BlockingIOError):
            return
        place.settimeout(0)
        event = reader.event(sent, str(peer[0]), datetime.now(UTC))
        if event is not None:
            yield event


def _store(events: list[Event], submit: Submit) -> None:
    try:
        submit(events)
    except FirstcauseError as error:
        log.error("%d messages by UDP are lost: %s", len(events), error)  # noqa: TRY400 - one line
