"""What applications report errors with: the standard library only, and nothing of the rest of firstcause."""

from __future__ import annotations

from firstcause.client.api import client, configure, flush, report
from firstcause.client.context import context
from firstcause.client.excepthooks import install
from firstcause.client.logging_handler import Handler
from firstcause.client.middleware import AsgiMiddleware, WsgiMiddleware
from firstcause.client.structlog_processor import StructlogProcessor
from firstcause.client.watch import watch

__all__ = [
    "AsgiMiddleware",
    "Handler",
    "StructlogProcessor",
    "WsgiMiddleware",
    "client",
    "configure",
    "context",
    "flush",
    "install",
    "report",
    "watch",
]
