"""A way in for syslog, by UDP and TCP. It listens only where the configuration names a port."""

from __future__ import annotations

from functools import partial

from firstcause import Listener, hookimpl
from firstcause_syslog.config import Config
from firstcause_syslog.parser import Parser
from firstcause_syslog.tcp import TcpServer
from firstcause_syslog.udp import listen

__all__ = ["Config", "firstcause_listeners"]


@hookimpl
def firstcause_listeners(config: Config) -> list[Listener]:
    parser = Parser(config)
    listeners = []
    if config.udp is not None:
        listeners.append(Listener("syslog/udp", partial(listen, config.host, config.udp, parser)))
    if config.tcp is not None:
        listeners.append(
            Listener("syslog/tcp", TcpServer(config.host, config.tcp, parser, config.connections).run)
        )
    return listeners
