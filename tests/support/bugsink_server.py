"""Bugsink, installed and run as its guide to a single server has it, without limits of how many events."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from support.database_servers import free_port
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNLIMITED = """
BUGSINK["PHONEHOME"] = False
for period in ("5_MINUTES", "HOUR", "MONTH"):
    BUGSINK[f"MAX_EVENTS_PER_{period}"] = BUGSINK[f"MAX_EVENTS_PER_PROJECT_PER_{period}"] = 10**9
"""
_CREATE_PROJECT = """
from projects.models import Project
project = Project.objects.create(name="storm")
print(project.sentry_key.hex, project.id)
"""
_WORKERS = min(os.cpu_count() or 1, 4)
"""As many as its own container has."""


@contextlib.contextmanager
def run_bugsink(folder: Path) -> Iterator[str]:
    """The DSN of its one project. The test is skipped, with the reason, where it cannot be set up."""
    workdir = folder / "bugsink"
    workdir.mkdir()
    key, project = _install(workdir)
    host = f"127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as cleanup:
        server = _start_process(
            workdir, "gunicorn", f"--bind={host}", f"--workers={_WORKERS}", "bugsink.wsgi"
        )
        cleanup.callback(_kill_process, server)
        # It digests what the server accepted.
        worker = _start_process(workdir, "bugsink-runsnappea")
        cleanup.callback(_kill_process, worker)
        wait_until(lambda: _is_ready(host, server, worker), "Bugsink")
        yield f"http://{key}@{host}/{project}"


def _install(workdir: Path) -> tuple[str, str]:
    """The key and the number of a project."""
    _run_command(workdir, sys.executable, "-m", "venv", "venv")
    _run_command(workdir, "venv/bin/pip", "install", "bugsink")
    options = ("--host=127.0.0.1", f"--base-dir={workdir}")
    _run_command(workdir, "venv/bin/bugsink-create-conf", "--template=singleserver", *options)
    with (workdir / "bugsink_conf.py").open("a", encoding="utf-8") as config:
        config.write(_UNLIMITED)
    manage = "venv/bin/bugsink-manage"
    _run_command(workdir, manage, "migrate")
    _run_command(workdir, manage, "migrate", "--database=snappea")
    key, project = _run_command(workdir, manage, "shell", "-v", "0", "-c", _CREATE_PROJECT).split()
    return key, project


def _run_command(workdir: Path, *command: str) -> str:
    """What it printed."""
    try:
        completed = subprocess.run(
            command, cwd=workdir, capture_output=True, text=True, timeout=300, check=True
        )
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip() or "it said nothing").splitlines()[-1]
        pytest.skip(f"Bugsink cannot be set up: {command[0]} {command[1]}: {last_line}")
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"Bugsink cannot be set up: {error}")
    return completed.stdout


def _start_process(workdir: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    with (workdir / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            (f"venv/bin/{name}", *options), cwd=workdir, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "HOME": str(workdir)},  # where gunicorn keeps a socket
        )  # fmt: skip


def _is_ready(host: str, *processes: subprocess.Popen[bytes]) -> bool:
    for process in processes:
        if process.poll() is not None:
            pytest.skip(f"Bugsink does not run: {process.args!r} ended with {process.returncode}")
    try:
        return httpx.get(f"http://{host}/health/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _kill_process(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
