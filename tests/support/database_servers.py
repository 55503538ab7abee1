"""Database servers of the tests' own, on ports of their own, that can be taken down and brought up again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_START_TIMEOUT_S = 40.0
_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_program(name: str) -> str:
    """Where a server's program is; the test is skipped where it is not installed."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, _POSTGRES)])
    path = shutil.which(name, path=folders)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


class Server:
    """One server process. user: whom it runs as where the tests run as root, which some servers refuse."""

    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def prepare(self) -> None:
        """Before it starts for the first time."""

    def up(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, **self._user_options()
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.answers():
            log_text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"it ended: {log_text}"
            assert time.monotonic() < deadline, f"it does not answer: {log_text}"
            time.sleep(0.05)

    def down(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its port and its connections, and answers nothing."""
        self._send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send_signal(signal.SIGCONT)

    def _send_signal(self, signal_number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal_number)

    def _user_options(self) -> dict[str, Any]:
        if self.user is None or os.geteuid() != 0:
            return {}
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}

    def own(self) -> None:
        """Let the server's user have the folder."""
        if self.user is not None and os.geteuid() == 0:
            shutil.chown(self.folder, self.user)


class RedisServer(Server):
    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self._options = options
        self.password = options[options.index("--requirepass") + 1] if "--requirepass" in options else None

    @property
    def url(self) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        base_options = (
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(self.folder),
            "--save",
            "",
        )
        return (find_program("redis-server"), *base_options, *self._options)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)


class PostgresServer(Server):
    user = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        arguments = (
            find_program("initdb"),
            "-D",
            str(self.folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
        )
        subprocess.run(arguments, check=True, capture_output=True, cwd=self.folder, **self._user_options())

    def command(self) -> Sequence[str]:
        options = (
            "-c",
            "fsync=off",
            "-c",
            f"unix_socket_directories={self.folder}",
            "-c",
            "max_connections=12",
        )
        return (
            find_program("postgres"),
            "-D",
            str(self.folder / "data"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            *options,
        )

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class PostgresStandby(PostgresServer):
    """A standby that streams from a primary, on a host with the users of `run_server`."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        super().__init__(folder)
        self._primary = primary

    def prepare(self) -> None:
        arguments = (
            find_program("pg_basebackup"),
            "-D",
            str(self.folder / "data"),
            "-d",
            self._primary.url,
            "--checkpoint=fast",
            "--write-recovery-conf",
        )
        subprocess.run(arguments, check=True, capture_output=True, cwd=self.folder, **self._user_options())


class MariaServer(Server):
    user = "mysql"

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/test"

    def prepare(self) -> None:
        arguments = (
            find_program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal", "--skip-name-resolve",
        )  # fmt: skip
        subprocess.run(arguments, check=True, capture_output=True, cwd=self.folder, **self._user_options())

    def command(self) -> Sequence[str]:
        return (
            find_program("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--socket={self.folder / 's'}", "--skip-name-resolve",
            f"--pid-file={self.folder / 'pid'}", "--max-connections=12", "--innodb-flush-log-at-trx-commit=0",
        )  # fmt: skip

    def answers(self) -> bool:
        try:
            pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=2).close()
        except pymysql.Error:
            return False
        return True


@contextlib.contextmanager
def run_server(make: Callable[[Path], Server]) -> Iterator[Any]:
    """A server of its own in a folder of its own, up; ended afterwards."""
    # Not below pytest's folders, which are closed to the users as whom servers run.
    with tempfile.TemporaryDirectory(prefix="firstcause-server-", ignore_cleanup_errors=True) as name:
        server = make(Path(name))
        server.own()
        server.prepare()
        server.up()
        try:
            yield server
        finally:
            server.down()
