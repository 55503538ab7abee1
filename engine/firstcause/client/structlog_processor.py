"""Errors by way of structlog."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from firstcause.client.api import client
from firstcause.client.exception_info import calling
from firstcause.client.logging_handler import severity_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_LEVELS = {"exception": logging.ERROR, "fatal": logging.CRITICAL, "warn": logging.WARNING}
_FIELDS = ("code", "tenant", "service", "severity", "tags", "id", "resolved")
_LEFT_OUT = frozenset({"event", "exc_info", "level", "timestamp", "stack_info", *_FIELDS})


class StructlogProcessor:
    """A processor that reports and passes everything on. level: "error" and above.

    It stands before the renderer, and before format_exc_info, which turns the exception into text.
    """

    def __init__(
        self, level: str = "error", *, tenant: str | None = None, service: str | None = None
    ) -> None:
        self._least = _level(level)
        self._given = {"tenant": tenant, "service": service}

    def __call__(
        self, logger: Any, method: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        _ = logger
        level = _level(method)
        if level >= self._least:
            try:
                self._report(level, event_dict)
            except Exception:  # noqa: BLE001 - an event of whatever shape
                client().losses.add("could not be taken")
        return event_dict

    def _report(self, level: int, event: MutableMapping[str, Any]) -> None:
        named = {key: event[key] for key in _FIELDS if event.get(key) is not None}
        given: dict[str, Any] = {**self._given, "severity": severity_of(level), **named}
        client().report(
            _error(event.get("exc_info")),
            once="code" not in named,
            where=calling("structlog."),
            message=event.get("event"),
            details={key: value for key, value in event.items() if key not in _LEFT_OUT},
            **given,
        )


def _level(name: str) -> int:
    found = _LEVELS.get(name.lower()) or logging.getLevelName(name.upper())
    return found if isinstance(found, int) else logging.NOTSET


def _error(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exception() if exc_info else None
