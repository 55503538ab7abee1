"""A process that has imported firstcause and forks a child for each command that a test wants to run.

A fresh interpreter needs four seconds of processor time until a daemon listens, most of it for imports and
for reading the shipped rules. A forked child begins with all that. It has its own working directory,
environment, arguments, output files, process group and default signal handlers, as a fresh process has.

Tests about starting itself, signals at the start, or what is imported, run a fresh interpreter instead.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_START_TIMEOUT_S = 300.0
_MAX_MESSAGE_BYTES = 1 << 20
_LENGTH_BYTES = 4
_STOP_GRACE_S = 5.0
_TESTS_FOLDER = Path(__file__).resolve().parent.parent


# What a test's process calls.


def has_usual_interpreter(environment: Mapping[str, str]) -> bool:
    """Whether an environment changes nothing about the interpreter, so that a forked child is the same.

    The fork server has the variables with which the tests were begun.
    """
    return _select_interpreter_variables(environment) == _ORIGINAL_VARIABLES


def _select_interpreter_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Select the variables that are read when the interpreter starts or while modules are imported."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("LD_", "LC_", "MALLOC_", "OPENSSL_"))
        or name in {"LANG", "NO_COLOR", "FORCE_COLOR"}
        or (name.startswith("PYTHON") and name != "PYTHONPATH")
    }


# A test that is the first to need the fork server must not have its own plugins and settings prepared.
_ORIGINAL_ENVIRONMENT = dict(os.environ)
_ORIGINAL_VARIABLES = _select_interpreter_variables(os.environ)


class ForkedProcess:
    """`python -m firstcause ARGS` as a child of the fork server. Methods as those of `subprocess.Popen`.

    stdout, stderr: file descriptors, which stay the caller's.
    """

    def __init__(
        self, args: Sequence[str], *, folder: Path, environment: Mapping[str, str], stdout: int, stderr: int
    ) -> None:
        self.args = list(args)
        self.returncode: int | None = None
        self._connection = _get_connection()
        request = {"call": "fork", "args": self.args, "folder": str(folder), "environment": dict(environment)}
        self.pid: int = self._connection.ask(request, (stdout, stderr))

    def poll(self) -> int | None:
        """Return the exit code, minus the signal's number if a signal ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._connection.ask({"call": "poll", "pid": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        if self.returncode is None:
            # The server keeps the child as a zombie until it is asked, so that this is no other process.
            descriptor = os.pidfd_open(self.pid)
            try:
                poller = select.poll()
                poller.register(descriptor, select.POLLIN)
                if not poller.poll(None if timeout is None else timeout * 1000):
                    assert timeout is not None
                    raise subprocess.TimeoutExpired(self.args, timeout)
            finally:
                os.close(descriptor)
        while (code := self.poll()) is None:
            assert deadline is None or time.monotonic() < deadline + _STOP_GRACE_S
            time.sleep(0.001)
        return code

    def send_signal(self, signal_number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal_number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Connection:
    """One test process's connection to the fork server of the test run. Threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = _connect()

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Any:
        with self._lock:
            _send_message(self._socket, request, descriptors)
            answer, _descriptors = _receive_message(self._socket)
        assert answer is not None, "the fork server ended; see its error output above"
        assert "error" not in answer, answer["error"]
        return answer["result"]


_current: _Connection | None = None
_current_lock = threading.Lock()
_started: list[subprocess.Popen[bytes]] = []


def _get_connection() -> _Connection:
    global _current  # noqa: PLW0603 - a process has one
    with _current_lock:
        if _current is None:
            _current = _Connection()
        return _current


def _connect() -> socket.socket:
    """Connect to the server of this test run; start it where none answers. The workers share one."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}"
    address = f"{tempfile.gettempdir()}/firstcause-fork-{os.geteuid()}-{run}"
    deadline = time.monotonic() + _START_TIMEOUT_S
    with Path(f"{address}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with contextlib.suppress(OSError):
                client.connect(address)
                _send_message(client, {"call": "hello"})
                if _receive_message(client)[0] is not None:
                    return client
            client.close()
            assert time.monotonic() < deadline, "the fork server does not start"
            assert not any(server.poll() for server in _started), "the fork server failed; see its output"
            _start_server(address)


def _start_server(address: str) -> None:
    Path(address).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    original_path = _ORIGINAL_ENVIRONMENT.get("PYTHONPATH")
    search_path = os.pathsep.join([str(_TESTS_FOLDER), *filter(None, [original_path])])
    program = "import sys; from support.fork_server import serve; serve(*sys.argv[1:])"
    # Kept: it lives as long as the last test process of the run, and this may be the first one.
    _started.append(
        subprocess.Popen(
            [sys.executable, "-c", program, str(listener.fileno()), address],
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={**_ORIGINAL_ENVIRONMENT, "PYTHONPATH": search_path},
            start_new_session=True,
        )
    )
    listener.close()


def _send_message(
    connection: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()
) -> None:
    body = json.dumps(message).encode("utf-8", "surrogateescape")
    # The descriptors come with the first byte.
    socket.send_fds(connection, [len(body).to_bytes(_LENGTH_BYTES)], descriptors)
    connection.sendall(body)


def _receive_message(connection: socket.socket) -> tuple[Any, list[int]]:
    """Receive one message and its file descriptors; None where the other side is gone."""
    head, descriptors, _flags, _address = socket.recv_fds(connection, _LENGTH_BYTES, 2)
    while head and len(head) < _LENGTH_BYTES:
        head += connection.recv(_LENGTH_BYTES - len(head))
    if not head:
        return None, descriptors
    missing = int.from_bytes(head)
    assert missing <= _MAX_MESSAGE_BYTES, missing
    body = b""
    while missing > len(body):
        part = connection.recv(missing - len(body))
        if not part:
            return None, descriptors
        body += part
    return json.loads(body.decode("utf-8", "surrogateescape")), descriptors


# What the fork server runs.


def serve(listener_number: str, address: str) -> None:
    """Fork a child for each request, until the last test process is gone."""
    _preload()
    assert threading.active_count() == 1, threading.enumerate()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _ForkServer(socket.socket(fileno=int(listener_number)))
    server.run()
    for name in (address, f"{address}.lock"):
        Path(name).unlink(missing_ok=True)


def _preload() -> None:
    """Import what a daemon and commands import, and read the shipped rules."""
    import firstcause  # noqa: PLC0415
    from firstcause.plugins.manager import PluginManager  # noqa: PLC0415
    from firstcause.plugins.plugin_thread import PluginThread  # noqa: PLC0415
    from support import shared_results  # noqa: PLC0415

    for module in pkgutil.walk_packages(firstcause.__path__, "firstcause."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("uvicorn.protocols.http.auto", "uvicorn.loops.auto", "uvicorn.lifespan.off", "psycopg"):
        importlib.import_module(name)
    PluginManager.load({})
    shared_results.share()
    shared_results.warm_up()
    for thread in threading.enumerate():
        if isinstance(thread, PluginThread):
            thread.join()  # it ends once it has been idle for a second
    # The children's collectors need not look at all this, and so it stays shared between them.
    gc.collect()
    gc.freeze()


class _ForkServer:
    """Answers its clients one at a time. Each client's children end with it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._children: dict[socket.socket, set[int]] = {}
        self._exit_codes: dict[int, int] = {}

    def run(self) -> None:
        had_client = False
        while self._children or not had_client:
            ready, _, _ = select.select([self._listener, *self._children], [], [])
            for source in ready:
                if source is self._listener:
                    client, _address = self._listener.accept()
                    self._children[client] = set()
                    had_client = True
                else:
                    self._serve_client(source)

    def _serve_client(self, client: socket.socket) -> None:
        try:
            request, descriptors = _receive_message(client)
        except OSError:
            request, descriptors = None, []
        if request is None:
            self._end_client(client)
            return
        try:
            answer = {"result": self._answer(client, request, descriptors)}
        except OSError as error:
            answer = {"error": f"{request['call']}: {error}"}
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            _send_message(client, answer)

    def _answer(self, client: socket.socket, request: Mapping[str, Any], descriptors: Sequence[int]) -> Any:
        if request["call"] == "fork":
            return self._fork(client, request, descriptors)
        if request["call"] == "poll":
            return self._poll(client, int(request["pid"]))
        return "ready"

    def _fork(self, client: socket.socket, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        pid = os.fork()
        if not pid:
            self._listener.close()
            for connection in self._children:
                connection.close()
            _run_child(request, descriptors)
        self._children[client].add(pid)
        return pid

    def _poll(self, client: socket.socket, pid: int) -> int | None:
        if pid not in self._children[client]:
            return self._exit_codes.get(pid)
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return None
        self._children[client].discard(pid)
        self._exit_codes[pid] = os.waitstatus_to_exitcode(status)
        return self._exit_codes[pid]

    def _end_client(self, client: socket.socket) -> None:
        for pid in self._children.pop(client):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        client.close()


def _run_child(request: Mapping[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Become what a fresh process would be, run the program, and exit as it would."""
    code = 1
    try:
        _become_fresh_process(request, descriptors)
        code = _run_program()
    except BaseException:  # whatever it is, this process may not return to the server's loop
        traceback.print_exc()
    finally:
        _exit(code)


def _become_fresh_process(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stdout, stderr = descriptors
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    os.chdir(request["folder"])
    environment = request["environment"]
    own_folders = {"", *_list_path_folders(os.environ)}
    installed_folders = [name for name in sys.path if name not in own_folders]
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[:] = [request["folder"], *_list_path_folders(environment), *installed_folders]
    importlib.invalidate_caches()
    sys.argv = ["-m", *request["args"]]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = _open_text(1, "strict")
    sys.stderr = _open_text(2, "backslashreplace")
    # What a fresh interpreter keeps besides.
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)


def _list_path_folders(environment: Mapping[str, str]) -> list[str]:
    return [name for name in environment.get("PYTHONPATH", "").split(os.pathsep) if name]


def _open_text(descriptor: int, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8",
        errors=errors,
        line_buffering=descriptor == 2,
    )


def _run_program() -> int:
    try:
        runpy.run_module("firstcause", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1
    except KeyboardInterrupt:
        return -signal.SIGINT
    return 0


def _exit(code: int) -> NoReturn:
    """End as the interpreter does: wait for threads, call `atexit`, write what is buffered."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):
                stream.flush()
    except BaseException:  # as in the interpreter: it is shown, and the process ends
        traceback.print_exc()
        code = code or 120
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)
