"""Run firstcause as users do: the command line, and the daemon as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Self

from support.fork_server import ForkedProcess, has_usual_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PROGRAM = (sys.executable, "-m", "firstcause")

_HANG_TIMEOUT_S = 300.0
"""After this time a command hangs; before it, the machine may just be busy."""

Process = subprocess.Popen[bytes] | ForkedProcess


def _start_process(
    args: Sequence[str],
    *,
    folder: Path,
    stdout: IO[bytes],
    stderr: IO[bytes],
    environment: Mapping[str, str] = MappingProxyType({}),
    is_forked: bool,
) -> Process:
    """Start the program. is_forked: in a child of the fork server, where a fresh one would be the same."""
    full_environment = {**os.environ, **environment}
    if is_forked and has_usual_interpreter(full_environment):
        return ForkedProcess(
            args,
            folder=folder,
            environment=full_environment,
            stdout=stdout.fileno(),
            stderr=stderr.fileno(),
        )
    return subprocess.Popen([*PROGRAM, *args], cwd=folder, stdout=stdout, stderr=stderr, env=full_environment)


def run_cli(
    *args: str,
    folder: Path,
    ok: int | None = 0,
    environment: Mapping[str, str] = MappingProxyType({}),
    is_forked: bool = True,
) -> subprocess.CompletedProcess[str]:
    """One call of the command line in a folder; ok: the exit code that it must have, None for any.

    is_forked: False for a test of what a fresh interpreter does, or how long it takes.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = _start_process(
            args, folder=folder, stdout=stdout, stderr=stderr, environment=environment, is_forked=is_forked
        )
        try:
            code = process.wait(timeout=_HANG_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
        completed = subprocess.CompletedProcess(args, code, _read_text(stdout), _read_text(stderr))
    assert "Traceback" not in completed.stderr, completed.stderr
    if ok is not None:
        assert completed.returncode == ok, (completed.returncode, completed.stdout, completed.stderr)
    return completed


def _read_text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def run_cli_json(*args: str, folder: Path, ok: int | None = 0, is_forked: bool = True) -> Any:
    """What a command prints with --json."""
    return json.loads(run_cli(*args, "--json", folder=folder, ok=ok, is_forked=is_forked).stdout)


def wait_until(condition: Callable[[], Any], description: str, timeout_s: float = 90.0) -> Any:
    """Wait until the condition is true and return its value. timeout_s: fail after this time."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {description}"
        time.sleep(0.02)
    return result


class DaemonProcess:
    """`firstcause run` in a folder. url: where it listens, on a port of its own unless one is given.

    environment: variables besides those of the test. is_forked: False for a test of what a fresh interpreter
    does, how long it takes, or how much memory it needs.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        environment: Mapping[str, str] = MappingProxyType({}),
        *,
        is_forked: bool = True,
    ) -> None:
        self._log = folder / "daemon.log"
        with self._log.open("ab") as log:
            start_offset = log.tell()
            self.process = _start_process(
                ["run"],
                folder=folder,
                stdout=log,
                stderr=log,
                environment={"FIRSTCAUSE_WEB__PORT": str(port), **environment},
                is_forked=is_forked,
            )
        self.url = wait_until(lambda: self._find_url(start_offset), "the daemon to listen")

    def _find_url(self, start_offset: int) -> str | None:
        output = self.log()[start_offset:]
        assert self.process.poll() is None, output
        match = re.search(r"listens on (http://\S+?),", output)
        return match[1] if match else None

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextlib.contextmanager
def run_daemon(folder: Path, port: int = 0, *, is_forked: bool = True) -> Iterator[DaemonProcess]:
    process = DaemonProcess(folder, port, is_forked=is_forked)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.kill()


class Receiver:
    """A web server on loopback.

    received: the bodies posted and taken, in order of arrival. status: how it answers a GET.
    post_status: how it answers a POST.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        self.post_status = 200
        receiver, received = self, self.received

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.post_status == 200:
                    received.append(json.loads(body))
                self.send_response(receiver.post_status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
