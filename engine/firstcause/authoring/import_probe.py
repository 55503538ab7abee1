"""Imports a module in a process of its own and says what that did. Run as a script; see plugin_check."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import threading
import time

_NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"})


def probe_import(module: str) -> dict[str, object]:
    """Import it and return what that did.

    seconds, cpu_seconds: of the import. error: what it raised. network: what it asked of it. output: what it
    printed. threads: that it started.
    """
    network: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK_EVENTS:
            target = arguments[0] if event == "socket.getaddrinfo" else arguments[-1]
            network.append(f"{event.removeprefix('socket.')} {target}")

    importlib.import_module("firstcause.plugins.manager")  # what the host has imported before any plugin
    sys.addaudithook(watch)
    before = set(threading.enumerate())
    printed = io.StringIO()
    error: str | None = None
    started, cpu_started = time.monotonic(), time.process_time()
    with contextlib.redirect_stdout(printed):
        try:
            importlib.import_module(module)
        except BaseException as raised:  # noqa: BLE001 - exit() too
            error = f"{type(raised).__name__}: {raised}"
    seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu_started,
        "error": error,
        "network": network[:3],
        "output": printed.getvalue()[:200],
        "threads": [thread.name for thread in threading.enumerate() if thread not in before],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe_import(sys.argv[1])) + "\n")
    sys.stdout.flush()
