"""A PgBouncer before a Postgres server, which gives a session to each transaction."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg

from support.database_servers import Server, find_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class PgBouncer(Server):
    """In transaction mode. It lets in everybody whom the server lets in by trust."""

    user = "postgres"

    def __init__(self, folder: Path, server_port: int, *, max_clients: int = 50) -> None:
        super().__init__(folder)
        self._server_port = server_port
        self._max_clients = max_clients

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._server_port}\n"
            "[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {self.folder / 'users'}\npool_mode = transaction\ndefault_pool_size = 3\n"
            f"max_client_conn = {self._max_clients}\nadmin_users = postgres\n"
        )
        os.chmod(self.folder / "ini", 0o644)  # noqa: PTH101 - read by another user
        os.chmod(self.folder / "users", 0o644)  # noqa: PTH101

    def command(self) -> Sequence[str]:
        return find_program("pgbouncer"), str(self.folder / "ini")

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
