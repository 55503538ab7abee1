"""Streams, framed by octet counts or by line ends (RFC 6587). While the store has no room, senders wait."""

from __future__ import annotations

import logging
import selectors
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from firstcause import FirstcauseError
from firstcause_syslog.message import LONGEST
from firstcause_syslog.udp import bound

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from firstcause import Event, Submit
    from firstcause_syslog.message import Reader

log = logging.getLogger("firstcause.syslog")

_LOOK = 0.3
_BITE = 64 * 1024
_BACKLOG = 128
_DIGITS = 7
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0


@dataclass
class Stream:
    """What a connection has sent and is no whole message yet. skipping: a line that is too long goes on."""

    peer: str
    rest: bytearray = field(default_factory=bytearray)
    skipping: bool = False

    def messages(self, more: bytes, *, ended: bool = False) -> Iterator[bytes]:
        """Those that are whole now; at the end what is left is one too. ValueError for a wrong count."""
        self.rest += more
        while self.rest:
            taken = self._counted() if self.rest[:1].isdigit() and not self.skipping else self._line()
            if taken is None:
                break
            if taken:
                yield taken
        if ended and self.rest and not self.skipping:
            yield bytes(self.rest)

    def _counted(self) -> bytes | None:
        """`LENGTH MESSAGE`; None where it is not there yet."""
        head, space, _ = bytes(self.rest[: _DIGITS + 1]).partition(b" ")
        if not space and head.isdigit() and len(head) <= _DIGITS:
            return None
        if not space or not head.isdigit():
            return self._line()
        length, begins = int(head), len(head) + 1
        if length > 2 * LONGEST:
            msg = f"a message of {length} bytes is announced"
            raise ValueError(msg)
        if len(self.rest) < begins + length:
            return None
        found = bytes(self.rest[begins : begins + length])
        del self.rest[: begins + length]
        return found

    def _line(self) -> bytes | None:
        """Up to a line's end, or to a NUL, which some send."""
        ends = [place for place in (self.rest.find(b"\n"), self.rest.find(b"\0")) if place >= 0]
        if not ends:
            if len(self.rest) <= LONGEST:
                return None
            found, self.skipping = b"" if self.skipping else bytes(self.rest[:LONGEST]), True
            self.rest.clear()
            return found
        found = b"" if self.skipping else bytes(self.rest[: min(ends)])
        self.skipping = False
        del self.rest[: min(ends) + 1]
        return found


class Server:
    """All connections in one thread. connections: so many at once; others are closed."""

    def __init__(self, host: str, port: int, reader: Reader, connections: int) -> None:
        self._address = (host, port)
        self._reader = reader
        self._most = connections

    def run(self, submit: Submit, stop: threading.Event) -> None:
        """Until stopped."""
        with bound(*self._address, socket.SOCK_STREAM) as place, selectors.DefaultSelector() as open_:
            place.listen(_BACKLOG)
            place.setblocking(False)
            open_.register(place, selectors.EVENT_READ)
            try:
                while not stop.is_set():
                    if events := list(self._came(open_, place)):
                        _store(events, submit, stop)
            finally:
                for key in list(open_.get_map().values()):
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not place:
                        key.fileobj.close()

    def _came(self, open_: selectors.BaseSelector, place: socket.socket) -> Iterator[Event]:
        for key, _ in open_.select(_LOOK):
            if key.fileobj is place:
                self._welcome(open_, place)
            elif isinstance(key.fileobj, socket.socket):
                yield from self._read(open_, key.fileobj, key.data)

    def _welcome(self, open_: selectors.BaseSelector, place: socket.socket) -> None:
        try:
            connection, peer = place.accept()
        except OSError:
            return
        if len(open_.get_map()) > self._most:
            log.warning("syslog: %s is turned away, there are %d connections", peer[0], self._most)
            connection.close()
            return
        connection.setblocking(False)
        open_.register(connection, selectors.EVENT_READ, Stream(str(peer[0])))

    def _read(
        self, open_: selectors.BaseSelector, connection: socket.socket, stream: Stream
    ) -> Iterator[Event]:
        try:
            more = connection.recv(_BITE)
            messages = list(stream.messages(more, ended=not more))
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            log.warning("syslog: the connection of %s is closed: %s", stream.peer, error)
            more, messages = b"", []
        if not more:
            open_.unregister(connection)
            connection.close()
        now = datetime.now(UTC)
        for sent in messages:
            event = self._reader.event(sent, stream.peer, now)
            if event is not None:
                yield event


def _store(events: list[Event], submit: Submit, stop: threading.Event) -> None:
    """Try until it is stored; meanwhile nothing is read, and the senders' own queues fill."""
    wait = _FIRST_WAIT
    while True:
        try:
            submit(events)
        except FirstcauseError as error:
            if stop.is_set():
                log.error("%d messages by TCP are lost: %s", len(events), error)  # noqa: TRY400 - one line
                return
            log.warning("syslog waits %g s, for the store has no room: %s", wait, error)
            stop.wait(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        else:
            return
