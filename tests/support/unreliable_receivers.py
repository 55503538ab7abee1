"""Receivers of notifications that fail at random: an HTTP server and a mail server on loopback."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol, Self

from support.mail_server import MailServer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session

FAILURE_SHARE = 0.4
"""How many of the requests fail in one way or another."""

HANG_S = 2.5
"""Seconds that a hang lasts; configure a shorter timeout."""

OWN_INCIDENT = 0
"""Stands for what firstcause tells of itself."""

_REPEAT_WORDS = ("(may repeat)", "You may have received this message before")
_SUBJECT = re.compile(r"\[P\d\] (?P<label>[^:]+):.* \(#(?P<incident>\d+|firstcause)\)$")
_DIGEST_LABEL = "HELD BACK"
_DIGEST_ITEM = re.compile(r"^#(\d+) P\d(, resolved by now)?: ", re.MULTILINE)
_UPDATES = ("NEW CAUSE", "NOW P", "STILL OPEN", "NO LONGER FLAPPING")


class Kind(StrEnum):
    """What a message tells. UPDATE: more about an incident that is known.

    LISTED_OPEN, LISTED_OVER: it is one of several incidents that a digest lists.
    """

    BEGIN = "begin"
    FLAPPING = "flapping"
    UPDATE = "update"
    END = "end"
    LISTED_OPEN = "listed open"
    LISTED_OVER = "listed over"


class Fault(StrEnum):
    REFUSE = "answers 503"
    HANG = "hangs, then takes it"
    HANG_UP = "takes it, and hangs up without an answer"


@dataclass(frozen=True)
class Message:
    """A message that was taken. arrived_at: when it came, monotonic. marked: it says that it may repeat."""

    incident: int
    kind: Kind
    marked: bool
    arrived_at: float
    text: str


def parse_messages(subject: str, body: str, arrived_at: float) -> list[Message]:
    """Parse a message by its words, as its readers do. A digest becomes a message for each incident."""
    matched = _SUBJECT.fullmatch(" ".join(subject.split()))
    assert matched is not None, f"no subject of an incident: {subject!r}"
    label, number = matched["label"], matched["incident"]
    marked = any(words in f"{subject}\n{body}" for words in _REPEAT_WORDS)
    if label.startswith(_DIGEST_LABEL):
        items = [
            (int(item[1]), Kind.LISTED_OVER if item[2] else Kind.LISTED_OPEN)
            for item in _DIGEST_ITEM.finditer(body)
        ]
        assert items, f"a digest without incidents: {body!r}"
    else:
        items = [(int(number) if number.isdigit() else OWN_INCIDENT, _find_kind(label))]
    return [Message(incident, kind, marked, arrived_at, subject) for incident, kind in items]


def _find_kind(label: str) -> Kind:
    if label == "RESOLVED":
        return Kind.END
    if label.startswith("FLAPPING"):
        return Kind.FLAPPING
    return Kind.UPDATE if label.startswith(_UPDATES) else Kind.BEGIN


@dataclass
class Faults:
    """Which requests fail, and how. healthy: none does any more. counts: of each fault."""

    random: random.Random
    healthy: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def next(self) -> Fault | None:
        if self.healthy or self.random.random() >= FAILURE_SHARE:
            return None
        fault = self.random.choice(list(Fault))
        self.counts[fault] += 1
        return fault


class UnreliableReceiver(Protocol):
    """messages: those that it took."""

    messages: list[Message]

    def set_listening(self, *, listening: bool) -> None: ...


class UnreliableWebServer:
    """Takes messages by POST. parse: makes them of a body."""

    def __init__(self, faults: Faults, parse: Callable[[dict[str, Any], float], list[Message]]) -> None:
        self.faults = faults
        self.messages: list[Message] = []
        self._parse = parse
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.set_listening(listening=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.set_listening(listening=False)

    def set_listening(self, *, listening: bool) -> None:
        if listening and self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._build_handler())
            self._server.daemon_threads = True
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        elif not listening and self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _build_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                arrived_at = time.monotonic()
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return
                fault = server.faults.next()
                if fault is Fault.REFUSE:
                    self._answer(503)
                    return
                if fault is Fault.HANG:
                    time.sleep(HANG_S)
                server.messages.extend(server._parse(json.loads(body), arrived_at))
                if fault is not Fault.HANG_UP:
                    self._answer(200)

            def _answer(self, status: int) -> None:
                # Who asked may have hung up meanwhile.
                with suppress(OSError):
                    self.send_response_only(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def parse_webhook(body: dict[str, Any], arrived_at: float) -> list[Message]:
    label = str(body["text"]).partition(": ")[0]
    subject = f"[{body['priority']}] {label}: {body['title']} (#{body['incident_id']})"
    return parse_messages(subject, f"{body['text']}\n{body['body']}", arrived_at)


def parse_apprise(body: dict[str, Any], arrived_at: float) -> list[Message]:
    return parse_messages(str(body["title"]), str(body["message"]), arrived_at)


class UnreliableMailServer(MailServer):
    """Takes messages by SMTP."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults
        self.messages: list[Message] = []

    def set_listening(self, *, listening: bool) -> None:
        coroutine = self._open() if listening else self._close()
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _open(self) -> None:
        if not self._server.is_serving():
            self._server = await self._loop.create_server(self._create_session, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._server.close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        arrived_at = time.monotonic()
        fault = self.faults.next()
        if fault is Fault.REFUSE:
            return "451 try again later"
        if fault is Fault.HANG:
            await asyncio.sleep(HANG_S)
        answer = await super().handle_DATA(server, session, envelope)
        self.messages.extend(_parse_mail(self.received[-1].raw, arrived_at))
        if fault is Fault.HANG_UP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer


def _parse_mail(raw: bytes, arrived_at: float) -> list[Message]:
    mail: EmailMessage = message_from_bytes(raw, policy=policy.default)
    return parse_messages(str(mail["Subject"]), mail.get_content(), arrived_at)
