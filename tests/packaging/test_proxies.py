"""The examples for nginx and Caddy, run as they are but for their ports and certificates."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXIES = Path(__file__).parents[2] / "packaging/proxies"


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_nginx(folder: Path, upstream: str) -> Iterator[str]:
    port = find_port()
    text = (PROXIES / "nginx.conf").read_text().replace("127.0.0.1:8377", upstream)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    site = "\n".join(line for line in text.splitlines() if "ssl_certificate" not in line)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}\n}}\n"
    )
    with run_proxy(["nginx", "-c", str(config), "-e", "stderr"], port) as url:
        yield url


@contextmanager
def run_caddy(folder: Path, upstream: str) -> Iterator[str]:
    port = find_port()
    text = (PROXIES / "Caddyfile").read_text()
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    environment = {
        "FIRSTCAUSE_SITE": f"http://127.0.0.1:{port}",
        "FIRSTCAUSE_UPSTREAM": upstream,
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with run_proxy(command, port, environment) as url:
        yield url


@contextmanager
def run_proxy(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[str]:
    def answers() -> bool:
        assert process.poll() is None, process.communicate()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until(answers, "the proxy to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            # It waits for streams that a browser has still open.
            process.kill()
            process.communicate()


class Echo(BaseHTTPRequestHandler):
    """Keeps the headers of each request."""

    received: list[Any] = []  # noqa: RUF012 - of a class that is made for one test

    def do_GET(self) -> None:
        type(self).received.append(self.headers)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(params=["nginx", "caddy"])
def run(request: pytest.FixtureRequest) -> Any:
    if shutil.which(request.param, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin") is None:
        pytest.skip(f"{request.param} is not installed")
    return {"nginx": run_nginx, "caddy": run_caddy}[request.param]


def test_clients_do_not_choose_their_own_address(run: Any, tmp_path: Path) -> None:
    class Upstream(Echo):
        received: list[Any] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=server.serve_forever, daemon=True).start()
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "gopher"}
    with run(tmp_path, f"127.0.0.1:{server.server_address[1]}") as url:
        for path in ("/", "/live"):
            httpx.get(f"{url}{path}", headers=forged, timeout=20)
    server.shutdown()
    server.server_close()
    assert [(got["X-Forwarded-For"], got["X-Forwarded-Proto"]) for got in Upstream.received] == [
        ("127.0.0.1", "http")
    ] * 2
    assert all(got["Host"].startswith("127.0.0.1") for got in Upstream.received)


def test_the_page_and_its_stream_come_through_at_once(run: Any, tmp_path: Path) -> None:
    with serve_stage(tmp_path, web={"trusted_proxies": ["127.0.0.1"]}) as (client, _stage):
        upstream = str(client.base_url).removeprefix("http://").rstrip("/")
        with run(tmp_path, upstream) as url, httpx.Client(base_url=url, timeout=30) as browser:
            assert "firstcause" in browser.get("/", headers={"accept": "text/html"}).text
            with browser.stream("GET", "/live?seen=old") as stream:
                # The stream never ends, so a proxy that collected it would show nothing.
                assert (
                    next(line for line in stream.iter_lines() if line.startswith("event:"))
                    == "event: changed"
                )
            answer = browser.post("/api/v1/events", json={"code": "A"})
            assert answer.json() == {"accepted": 1, "rejected": []}
