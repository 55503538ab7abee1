"""A daemon that answers as it is told to, on loopback: late, with errors, or not at all."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


class ScriptedResponse(NamedTuple):
    """One answer. after: seconds. reset: the connection is torn in its place."""

    status: int = 202
    headers: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    delay_s: float = 0.0
    reset: bool = False


class FaultyDaemon:
    """answers: what to say next, one each; then `judge` says it, or `otherwise`.

    took: the events that it said 202 to. asked: when, the headers and the events of all requests.
    """

    def __init__(self, *answers: ScriptedResponse) -> None:
        self.answers = list(answers)
        self.default_response = ScriptedResponse()
        self.choose_response: Callable[[list[dict[str, Any]]], ScriptedResponse] = lambda _events: (
            self.default_response
        )
        self.accepted: list[dict[str, Any]] = []
        self.requests: list[tuple[float, dict[str, str], list[dict[str, Any]]]] = []
        self._lock = threading.Lock()
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                daemon.respond(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = [json.loads(line) for line in body.splitlines()]
        with self._lock:
            self.requests.append((time.monotonic(), dict(request.headers), events))
            response = self.answers.pop(0) if self.answers else self.choose_response(events)
        time.sleep(response.delay_s)
        if response.reset:
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()
            request.close_connection = True
            return
        if response.status == 202:
            self.accepted += events
        payload = json.dumps(
            response.body if response.body is not None else {"accepted": len(events), "rejected": []}
        )
        request.send_response(response.status)
        for name, value in response.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(payload)))
        request.end_headers()
        request.wfile.write(payload.encode())

    @property
    def codes(self) -> list[str]:
        return [event.get("code") or event["message"] for event in self.accepted]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
