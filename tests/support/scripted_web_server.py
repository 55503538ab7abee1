"""A web server on loopback that answers as a test says."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

Response = tuple[int, dict[str, str], bytes]


@contextmanager
def run_web_server(
    respond: Callable[[BaseHTTPRequestHandler, bytes], Response], context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """A web server on loopback; its address. answer: status, headers and body of each request."""

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, payload = respond(self, body)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            # Who asked may have hung up meanwhile.
            with suppress(OSError):
                self.end_headers()
                self.wfile.write(payload)

        do_GET = do_POST = _respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}/x"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
