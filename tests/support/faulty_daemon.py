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


class Says(NamedTuple):
    """One answer. after: seconds. reset: the connection is torn in its place."""

    status: int = 202
    headers: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    after: float = 0.0
    reset: bool = False


class Misbehaving:
    """answers: what to say next, one each; then `judge` says it, or `otherwise`.

    took: the events that it said 202 to. asked: when, the headers and the events of all requests.
    """

    def __init__(self, *answers: Says) -> None:
        self.answers = list(answers)
        self.otherwise = Says()
        self.judge: Callable[[list[dict[str, Any]]], Says] = lambda _events: self.otherwise
        self.took: list[dict[str, Any]] = []
        self.asked: list[tuple[float, dict[str, str], list[dict[str, Any]]]] = []
        self._lock = threading.Lock()
        misbehaving = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                misbehaving.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = [json.loads(line) for line in body.splitlines()]
        with self._lock:
            self.asked.append((time.monotonic(), dict(request.headers), events))
            says = self.answers.pop(0) if self.answers else self.judge(events)
        time.sleep(says.after)
        if says.reset:
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()
            request.close_connection = True
            return
        if says.status == 202:
            self.took += events
        said = json.dumps(says.body if says.body is not None else {"accepted": len(events), "rejected": []})
        request.send_response(says.status)
        for name, value in says.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(said)))
        request.end_headers()
        request.wfile.write(said.encode())

    @property
    def codes(self) -> list[str]:
        return [event.get("code") or event["message"] for event in self.took]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
