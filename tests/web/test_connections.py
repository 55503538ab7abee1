"""Limits of connections: half-sent requests, long headers, slow bodies, and who has to give way."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from firstcause.web.connections import Limits, is_in_networks, mask_source
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HALF = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nX-A: "
START = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n"


def connect(client: httpx.Client, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=30)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """All until the server closes."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_half_sent_requests_give_way_to_whole_ones(tmp_path: Path) -> None:
    with (
        serve_stage(tmp_path, limits=Limits(total=20, per_source=10)) as (client, _stage),
        ExitStack() as stack,
    ):
        half_sent = [stack.enter_context(connect(client, HALF)) for _ in range(40)]
        for _ in range(3):
            sent = client.post("/api/v1/events", json={"code": "A"}, headers={"connection": "close"})
            assert sent.status_code == 202
        assert read_all(half_sent[0]) == b""


def test_connections_that_work_are_not_closed_for_others(tmp_path: Path) -> None:
    with serve_stage(tmp_path, limits=Limits(per_source=3)) as (client, _stage), ExitStack() as stack:
        assert client.get("/healthz").status_code == 200
        streams = [stack.enter_context(client.stream("GET", "/live")) for _ in range(3)]
        assert [stream.status_code for stream in streams] == [200, 200, 200]
        refused = read_all(stack.enter_context(connect(client)))
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in refused


def test_headers_end_somewhere(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        assert client.get("/healthz", headers={"x-a": "a" * 60_000}).status_code == 200
        with connect(client, HALF) as connection:
            with suppress(OSError):
                for _ in range(960):
                    connection.sendall(b"a" * 65_536)
            assert read_all(connection)[:13] in (b"HTTP/1.1 431 ", b"")
        with connect(client, b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 9000 + b"\r\n") as connection:
            assert read_all(connection)[:13] == b"HTTP/1.1 431 "
        assert client.get("/healthz").status_code == 200


UNFINISHED = {
    "nothing": b"",
    "half a line": b"GET /heal",
    "half a header": HALF,
    "half a body": START + b"{",
    "half a second request": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET",
    "empty lines": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n\r\n",
}


def test_a_request_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    limits = Limits(header_s=0.2, body_window_s=0.2)
    with serve_stage(tmp_path, limits=limits) as (client, _stage), ExitStack() as stack:
        connections = {name: stack.enter_context(connect(client, sent)) for name, sent in UNFINISHED.items()}
        for name, connection in connections.items():
            # Empty lines begin no request: the connection ends as an idle one does.
            assert b"HTTP/1.1 408 " in read_all(connection) or name == "empty lines", name


def test_a_stream_that_is_answered_for_long_is_not_taken_for_headers_that_do_not_end(tmp_path: Path) -> None:
    with (
        serve_stage(tmp_path, limits=Limits(header_s=0.2)) as (client, _stage),
        client.stream("GET", "/live", timeout=30) as stream,
    ):
        parts = stream.iter_text()
        next(parts)
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\n")
            assert b" 408 " in read_all(slow), "one whose headers do not end is closed meanwhile"
        client.post("/api/v1/events", json={"code": "A"}).raise_for_status()
        assert next(parts)


def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serve_stage(tmp_path, limits=Limits(write_s=0.2)) as (client, _stage):
        page = "/static/vendor/htmx-4.0.1.min.js"
        request = f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        size = len(client.get(page).raise_for_status().content)
        count = 12_000_000 // size
        with connect(client, request * count) as connection:
            wait_until(lambda: "1 answer not read" in caplog.text, "the end of the connection")
            assert len(read_all(connection)) < count * size
        assert "Traceback" not in caplog.text


def test_a_body_that_keeps_arriving_is_taken(tmp_path: Path) -> None:
    body = b'{"code": "A", "message": "' + b"x" * 600_000 + b'"}'
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    limits = Limits(body_window_s=0.3)
    with (
        serve_stage(tmp_path, limits=limits) as (client, _stage),
        connect(client, head.encode()) as connection,
    ):
        sent = 0
        while sent < len(body):
            connection.sendall(body[sent : sent + 70_000])
            sent += 70_000
            assert client.get("/healthz").status_code == 200
        assert connection.recv(100).startswith(b"HTTP/1.1 202 ")


def test_unfinished_bodies_hold_no_more_than_their_budget(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage), ExitStack() as stack:
        answers = []
        for _ in range(6):
            connection = stack.enter_context(connect(client, START))
            with suppress(OSError):
                connection.sendall(b" " * 19_000_000)
            connection.settimeout(0.3)
            with suppress(OSError):
                answers.append(connection.recv(4096))
        # One address may hold half of 128 MiB: three bodies of 19 MB.
        assert len(answers) == 3
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        assert b"retry-after: 2" in answers[0]
        assert client.post("/api/v1/events", json={"code": "A"}).status_code == 202


def test_bodies_of_pages_and_the_api_are_limited(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        for path in ("/api/v1/silences", "/silences/new", "/nowhere"):
            refused = client.post(path, content=b"x" * ((1 << 20) + 1))
            assert (refused.status_code, "split it" in refused.json()["error"]) == (413, True)


def test_no_token_no_reading(tmp_path: Path) -> None:
    """The answer comes though no byte of the body has been sent."""
    with (
        serve_stage(tmp_path, intake={"tokens": {"shop": {"token": "long-and-random"}}}) as (client, _stage),
        connect(client, START) as connection,
    ):
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


_COUNT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from firstcause.web.connections import reserve_file_descriptors
print(reserve_file_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "files"),
    [(256, 256, 128, 256), (1024, 1024, 512, 1024), (1024, 4096, 2560, 4096)],
)
def test_files_are_kept_back_for_the_store(soft: int, hard: int, connections: int, files: int) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this machine allows fewer files")
    code = _COUNT.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(connections), str(files)]


def test_addresses_count_as_what_one_customer_has() -> None:
    assert mask_source("203.0.113.9") == "203.0.113.9"
    assert mask_source("::ffff:203.0.113.9") == "203.0.113.9"
    assert mask_source("2001:db8:1:2:3::4") == mask_source("2001:db8:1:2:ffff::1") == "2001:db8:1:2::"
    assert mask_source("fe80::1%eth0") == "fe80::"
    assert mask_source("testclient") == "testclient"
    assert not is_in_networks("testclient", ())


def test_closed_connections_are_said_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serve_stage(tmp_path, limits=Limits(per_source=2)) as (client, _stage), ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(client, HALF))
        wait_until(lambda: "connections closed by limits" in caplog.text, "the log line")
        assert "3 stalled, to make room" in caplog.text
