"""A way in for syslog, by UDP and TCP. It listens only where the configuration names a port."""

from __future__ import annotations

from functools import partial

from firstcause import Listener, hookimpl
from firstcause_syslog.config import Config
from firstcause_syslog.message import Reader
from firstcause_syslog.tcp import Server
from firstcause_syslog.udp import listen

__all__ = ["Config", "firstcause_listeners"]


@hookimpl
def firstcause_listeners(config: Config) -> list[Listener]:
    reader = Reader(config)
    found = []
    if config.udp is not None:
        found.append(Listener("syslog/udp", partial(listen, config.host, config.udp, reader)))
    if config.tcp is not None:
        found.append(Listener("syslog/tcp", Server(config.host, config.tcp, reader, config.connections).run))
    return found
