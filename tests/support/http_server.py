"""The HTTP side on a real socket over a real store, for tests to be clients of."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import httpx

from firstcause.core.model import Status
from firstcause.core.reading import Reading
from firstcause.daemon.server import create_web_server, open_listening_socket
from firstcause.daemon.supervisor import Daemon
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from firstcause.web.connections import Limits


@contextmanager
def serve_stage(
    folder: Path,
    *plugins: Any,
    tables: Mapping[str, Any] = MappingProxyType({}),
    store_url: str | None = None,
    limits: Limits | None = None,
    plugin_timeout: float | None = None,
    **settings: Any,
) -> Iterator[tuple[httpx.Client, Stage]]:
    """Serve a stage until the block ends.

    tables: what the plugins' [plugins] tables hold, by module name. store_url: None for SQLite in the folder.
    limits: of connections; None for those that the daemon has. plugin_timeout: seconds for a hook's call.
    """
    stage = Stage(store_url or f"sqlite:///{folder}/x.db", folder, **settings)
    if plugin_timeout is not None:
        stage.app.plugins._calls.timeout = plugin_timeout
    for plugin in plugins:
        stage.app.plugins.register(plugin, plugin.__name__, tables.get(plugin.__name__))
    stage.readings["twilio"] = Reading(status=Status.UP)
    daemon = Daemon(stage.app)
    server = create_web_server(stage.app, limits)
    with open_listening_socket("127.0.0.1", 0) as bound:
        daemon.start()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=20) as client:
                yield client, stage
        finally:
            server.should_exit = True
            thread.join()
            daemon.stop()
            stage.app.close()
