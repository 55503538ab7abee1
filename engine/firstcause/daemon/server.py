"""The daemon's process: its socket, its web server, its signals."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from firstcause.daemon.supervisor import Daemon
from firstcause.daemon.tuning import return_freed_memory, tune_interpreter
from firstcause.errors import ConfigError
from firstcause.web.app import create_app

if TYPE_CHECKING:
    from firstcause.app.application import Service
    from firstcause.web.app import Site

log = logging.getLogger("firstcause")

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigError where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        # From here on callers wait in the queue; without it they are refused until uvicorn is up.
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        msg = f"[web] cannot listen on {host}:{port}: {error.strerror}; stop what is there, or set [web] port"
        raise ConfigError(msg) from error
    return bound


def web_server(daemon: Daemon) -> uvicorn.Server:
    site = create_app(daemon, daemon.service.settings, daemon.service.host.formats())
    config = uvicorn.Config(
        site,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )
    return _Server(config, site)


class _Server(uvicorn.Server):
    """Ends the streams of its browsers first, which else would keep it up to its patience's end."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._site.close()
        await super().shutdown(sockets)


def serve(service: Service) -> None:
    """Run until SIGTERM or Ctrl-C. SIGHUP reloads the rules."""
    web = service.settings.web
    daemon = Daemon(service)
    server = web_server(daemon)
    bound = listen(web.host, web.port)
    return_freed_memory()
    with bound:
        daemon.start()
        tune_interpreter()
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=daemon.reload, daemon=True).start())
        for ending in (signal.SIGTERM, signal.SIGINT):
            # uvicorn sends itself the signal once more when it is done; the default would end us undrained.
            signal.signal(ending, lambda *_: setattr(server, "should_exit", True))
        host, port = bound.getsockname()[:2]
        log.info("firstcause listens on http://%s:%s, store %s", host, port, service.database.shown_url)
        try:
            server.run(sockets=[bound])
        finally:
            daemon.stop()
    log.info("stopped; all that was accepted is stored")
