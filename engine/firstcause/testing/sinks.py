"""Receivers on loopback: servers of the kind that notifiers send to, which keep what they get."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage


@dataclass(frozen=True)
class HttpRequest:
    """A request that was received. headers: in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; ValueError if it is none."""
        return json.loads(self.body)


@dataclass
class HttpSink:
    """A web server on loopback. It answers every request with `status`, `headers` and `body`.

    requests: what it got, in order.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    requests: list[HttpRequest] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        assert self._server is not None, "use it in a with block"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.requests.append(HttpRequest(self.command, self.path, headers, body))
                self.send_response(sink.status)
                for name, value in {**sink.headers, "Content-Length": str(len(sink.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(sink.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
                _ = format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


@dataclass
class SmtpSink:
    """A mail server on loopback, without encryption. mails: what it got, in order."""

    mails: list[EmailMessage] = field(default_factory=list)
    _controller: Any = None

    host = "127.0.0.1"

    @property
    def port(self) -> int:
        assert self._controller is not None, "use it in a with block"
        return int(self._controller.port)

    def __enter__(self) -> Self:
        self._controller = _make_controller(self)
        self._controller.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail; called by the server."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def _make_controller(handler: object) -> Any:
    from aiosmtpd.controller import Controller  # noqa: PLC0415 - only tests of mail have it

    # The base class asks the server at the port that it was given, so the system cannot choose one later.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Controller(handler, hostname="127.0.0.1", port=port)
