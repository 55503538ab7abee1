"""The daemon's process: its socket, its web server, its signals."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
from typing import TYPE_CHECKING, cast

import uvicorn

from firstcause.daemon.supervisor import Daemon
from firstcause.daemon.tuning import return_freed_memory, tune_interpreter
from firstcause.errors import ConfigError
from firstcause.web.app import create_app
from firstcause.web.connections import (
    LISTEN_BACKLOG,
    ConnectionTable,
    LimitedProtocol,
    Limits,
    reserve_file_descriptors,
)

if TYPE_CHECKING:
    from firstcause.app.application import Application
    from firstcause.daemon.reload_requests import ReloadRequests
    from firstcause.web.app import WebApplication

log = logging.getLogger("firstcause")

_TICKS_PER_SWEEP = 10
"""uvicorn ticks ten times a second."""


def open_listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigError where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening_socket = socket.socket(family, socket.SOCK_STREAM)
    listening_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening_socket.bind((host, port))
        # From here on callers wait in the queue; without it they are refused until uvicorn is up.
        listening_socket.listen(LISTEN_BACKLOG)
    except OSError as error:
        listening_socket.close()
        msg = f"[web] cannot listen on {host}:{port}: {error.strerror}; stop what is there, or set [web] port"
        raise ConfigError(msg) from error
    return listening_socket


def create_web_server(application: Application, limits: Limits | None = None) -> uvicorn.Server:
    """The web server over an application, not yet listening. ConfigError as of `create_app`.

    limits: of its connections, None for the usual ones.
    """
    proxies = application.settings.web.trusted_proxies
    web_app = create_app(application)
    table = ConnectionTable(limits or Limits(total=reserve_file_descriptors(), trusted=proxies))
    config = uvicorn.Config(
        web_app,
        # uvicorn annotates a class; it calls what it is given.
        http=cast("type[asyncio.Protocol]", functools.partial(LimitedProtocol, table)),
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )
    return _WebServer(config, web_app, table)


class _WebServer(uvicorn.Server):
    """Looks at the limits of connections once a second, and ends browsers' streams before it shuts down."""

    def __init__(self, config: uvicorn.Config, web_app: WebApplication, table: ConnectionTable) -> None:
        super().__init__(config)
        self._web_app = web_app
        self._table = table

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SWEEP == 0:
            self._table.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._web_app.close()
        await super().shutdown(sockets)
        await asyncio.to_thread(self._web_app.stop_jobs)


def serve(application: Application, reload_requests: ReloadRequests) -> None:
    """Run until SIGTERM or Ctrl-C. reload_requests: what SIGHUP asks for, also what came before."""
    web = application.settings.web
    daemon = Daemon(application, reload_requests)
    server = create_web_server(application)
    listening_socket = open_listening_socket(web.host, web.port)
    return_freed_memory()
    with listening_socket:
        daemon.start()
        tune_interpreter()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn sends itself the signal once more when it is done; the default would end us undrained.
            signal.signal(signal_number, lambda *_: setattr(server, "should_exit", True))
        host, port = listening_socket.getsockname()[:2]
        log.info("firstcause listens on http://%s:%s, store %s", host, port, application.database.display_url)
        try:
            server.run(sockets=[listening_socket])
        finally:
            reload_requests.ignore_signal()
            daemon.stop()
    log.info("stopped; all that was accepted is stored")
