"""The public package: what applications and plugins import from firstcause is listed here, and stable."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstcause.client import (
        AsgiMiddleware,
        Handler,
        StructlogProcessor,
        WsgiMiddleware,
        configure,
        context,
        flush,
        install,
        report,
        watch,
    )
    from firstcause.core.model import DEFAULT_GROUPING, Event, Priority, Severity, Source, Status
    from firstcause.core.notification import Notification, NotifyReason
    from firstcause.core.reading import Problem, Reading
    from firstcause.core.text.error_codes import code_of
    from firstcause.core.text.json_decoding import decode_json
    from firstcause.errors import DeliveryError, FirstcauseError, IntakeError
    from firstcause.hookspecs import API_VERSION, hookimpl
    from firstcause.hookspecs.delivery_tracker import DeliveryTracker
    from firstcause.hookspecs.findings import Findings
    from firstcause.hookspecs.item_parser import parse_items
    from firstcause.hookspecs.probes import Checker, lazy_probe, require_library
    from firstcause.hookspecs.secret_urls import MALFORMED_URL, SecretUrl
    from firstcause.hookspecs.time_limits import describe_connection_error, open_socket, run_with_time_limit
    from firstcause.hookspecs.types import (
        DeliveryReport,
        DeliveryState,
        Enrichment,
        EventContext,
        FactContext,
        IntakeFormat,
        IntakeOutcome,
        IntakeResponse,
        IntakeResult,
        Listener,
        Notifier,
        Probe,
        RejectedItem,
        Remedy,
        Submit,
        SuppliedFact,
    )

__all__ = [
    "API_VERSION",
    "DEFAULT_GROUPING",
    "MALFORMED_URL",
    "AsgiMiddleware",
    "Checker",
    "DeliveryError",
    "DeliveryReport",
    "DeliveryState",
    "DeliveryTracker",
    "Enrichment",
    "Event",
    "EventContext",
    "FactContext",
    "Findings",
    "FirstcauseError",
    "Handler",
    "IntakeError",
    "IntakeFormat",
    "IntakeOutcome",
    "IntakeResponse",
    "IntakeResult",
    "Listener",
    "Notification",
    "Notifier",
    "NotifyReason",
    "Priority",
    "Probe",
    "Problem",
    "Reading",
    "RejectedItem",
    "Remedy",
    "SecretUrl",
    "Severity",
    "Source",
    "Status",
    "StructlogProcessor",
    "Submit",
    "SuppliedFact",
    "WsgiMiddleware",
    "code_of",
    "configure",
    "context",
    "decode_json",
    "describe_connection_error",
    "flush",
    "hookimpl",
    "install",
    "lazy_probe",
    "open_socket",
    "parse_items",
    "report",
    "require_library",
    "run_with_time_limit",
    "watch",
]

_CLIENT_NAMES = frozenset({
    "AsgiMiddleware", "Handler", "StructlogProcessor", "WsgiMiddleware", "configure", "context", "flush",
    "install", "report", "watch",
})  # fmt: skip

_HOME_MODULES = (
    "firstcause.hookspecs",
    "firstcause.hookspecs.types",
    "firstcause.hookspecs.delivery_tracker",
    "firstcause.hookspecs.findings",
    "firstcause.hookspecs.item_parser",
    "firstcause.hookspecs.probes",
    "firstcause.hookspecs.secret_urls",
    "firstcause.hookspecs.time_limits",
    "firstcause.errors",
    "firstcause.core.model",
    "firstcause.core.notification",
    "firstcause.core.reading",
    "firstcause.core.text.error_codes",
    "firstcause.core.text.json_decoding",
)


def __getattr__(name: str) -> object:
    # Imported on first use: an application that only reports errors must not load pydantic and pluggy.
    if name in __all__:
        for home in ("firstcause.client",) if name in _CLIENT_NAMES else _HOME_MODULES:
            module = importlib.import_module(home)
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
