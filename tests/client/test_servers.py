"""Applications under the servers that run them: each reports, and goes on answering."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from support.database_servers import free_port
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.faulty_daemon import FaultyDaemon

APPLICATION = """
import os
import firstcause
firstcause.configure(os.environ["DAEMON"])
firstcause.report("AT_START")

def application(environ, start_response):
    firstcause.report("IN_" + environ["PATH_INFO"].strip("/").upper())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]

async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    firstcause.report("IN_" + scope["path"].strip("/").upper())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})
"""


def require(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@contextmanager
def running(command: Sequence[str], folder: Path, server: FaultyDaemon) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "shop.py").write_text(APPLICATION)
    environment = {**os.environ, "DAEMON": server.url, "FIRSTCAUSE_SPOOL": str(folder / "spool")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail("it did not end: " + (folder / "log").read_text(errors="replace")[-2000:])


def ask(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
        return bytes(response.read())


def check_application(port: int, server: FaultyDaemon, folder: Path) -> None:
    """It answers, reports, and answers again once the client's thread has gone idle."""

    def answers() -> bool:
        try:
            return bool(ask(port, "first"))
        except OSError:
            return False

    wait_until(answers, "the application: " + (folder / "log").read_text(errors="replace")[-1000:])
    wait_until(lambda: {"AT_START", "IN_FIRST"} <= set(server.codes), f"the reports: {server.codes}")
    # The client looks for two seconds, then waits; a wait in C would stop a worker of greenlets.
    time.sleep(2.5)
    for number in range(4):
        assert ask(port, f"later{number}")
    wait_until(
        lambda: {f"IN_LATER{number}" for number in range(4)} <= set(server.codes),
        f"the later reports: {server.codes}",
    )
    assert server.codes.count("AT_START") == 1, "no worker repeats what the first process reported"


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "gevent", "--preload", "-w", "2"),
        ("-k", "gevent"),
        ("-k", "gthread", "--threads", "2", "--preload"),
        ("-k", "sync", "--preload", "-w", "2"),
    ],
    ids=["gevent-preload", "gevent", "gthread-preload", "sync-preload"],
)
def test_an_application_under_gunicorn_goes_on_answering(
    options: tuple[str, ...], server: FaultyDaemon, tmp_path: Path
) -> None:
    require("gunicorn", *(["gevent"] if "gevent" in options else []))
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "shop:application"]
    with running([*command, "--timeout", "4", "--worker-tmp-dir", str(tmp_path), *options], tmp_path, server):
        check_application(port, server, tmp_path)
    assert "WORKER TIMEOUT" not in (tmp_path / "log").read_text(errors="replace")


@pytest.mark.parametrize(
    "options",
    [("--master", "-p", "2", "--enable-threads"), ("-p", "1", "--enable-threads"),
     ("--master", "-p", "2", "--enable-threads", "--lazy-apps", "-p", "1")],
    ids=["master", "single", "lazy"],
)  # fmt: skip
def test_an_application_under_uwsgi_goes_on_answering(
    options: tuple[str, ...], server: FaultyDaemon, tmp_path: Path
) -> None:
    uwsgi = shutil.which("uwsgi")
    if uwsgi is None:
        pytest.skip("uwsgi is not installed")
    plugin = "python" + "".join(map(str, sys.version_info[:2]))
    if subprocess.run([uwsgi, "--plugin", plugin, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"uwsgi has no plugin for this Python ({plugin})")
    port = free_port()
    site = [path for path in sys.path if path.endswith(("site-packages", "engine"))]
    paths = [f"--pythonpath={path}" for path in [*site, str(tmp_path)]]
    command = [uwsgi, "--plugin", f"http,{plugin}", "--http-socket", f"127.0.0.1:{port}", "--module", "shop"]
    command += ["--die-on-term", "--need-app", *paths]
    with running([*command, *options], tmp_path, server):
        check_application(port, server, tmp_path)


def test_an_application_under_uvicorn_goes_on_answering(server: FaultyDaemon, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "shop:asgi", "--port", str(port), "--lifespan", "off"]
    with running(command, tmp_path, server):
        check_application(port, server, tmp_path)


TASKS = """
import os
import celery
import firstcause
firstcause.configure(os.environ["DAEMON"])
app = celery.Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out"), "queue")
app.conf.broker_connection_retry_on_startup = True

@app.task(name="fail")
def fail(number):
    firstcause.report(f"TASK_{number}")
"""


def test_a_task_of_celery_reports_also_what_a_child_saw_last(server: FaultyDaemon, tmp_path: Path) -> None:
    require("celery")
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(TASKS)
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "1", "--max-tasks-per-child",
               "1", "--without-gossip", "--without-mingle", "-l", "WARNING"]  # fmt: skip
    with running(command, tmp_path, server):
        environment = {**os.environ, "DAEMON": server.url}
        send = "import tasks\nfor number in range(3):\n    tasks.fail.delay(number)"
        subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environment, check=True)
        wait_until(
            lambda: {f"TASK_{number}" for number in range(3)} <= set(server.codes),
            f"the tasks: {server.codes}",
        )


PATCHED = """
import sys, time
import {library}
early = {early}
if early: {patch}
import firstcause
firstcause.configure(sys.argv[1])
firstcause.report("BEFORE")
if not early:
    time.sleep({pause})
    {patch}
import threading, time
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic())
        time.sleep(0.05)
threading.Thread(target=tick, daemon=True).start()
firstcause.report("AFTER")
time.sleep(2.6)
firstcause.report("LATE")
assert firstcause.flush(5)
longest = max(b - a for a, b in zip(ticks, ticks[1:]))
assert longest < 2, longest
"""


@pytest.mark.parametrize("early", [True, False], ids=["early", "late"])
@pytest.mark.parametrize(
    ("library", "patch"),
    [
        ("gevent.monkey", "gevent.monkey.patch_all()"),
        ("eventlet", "eventlet.monkey_patch()"),
    ],
)
def test_greenlets_go_on_beside_the_client(
    library: str, patch: str, early: bool, server: FaultyDaemon, tmp_path: Path
) -> None:
    require(library.partition(".")[0])
    text = PATCHED.format(library=library, patch=patch, early=early, pause=0.5)
    (tmp_path / "shop.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "shop.py", server.url],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "FIRSTCAUSE_SPOOL": str(tmp_path / "spool")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(server.codes) == ["AFTER", "BEFORE", "LATE"]
