"""Errors by way of structlog."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from firstcause.client.api import client
from firstcause.client.exception_info import find_caller
from firstcause.client.logging_handler import severity_for_level

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_LEVEL_NUMBERS = {"exception": logging.ERROR, "fatal": logging.CRITICAL, "warn": logging.WARNING}
_EVENT_FIELDS = ("code", "tenant", "service", "severity", "tags", "id", "resolved")
_EXCLUDED_KEYS = frozenset({"event", "exc_info", "level", "timestamp", "stack_info", *_EVENT_FIELDS})


class StructlogProcessor:
    """A processor that reports and passes everything on. level: "error" and above.

    Put it before the renderer, and before format_exc_info, which turns the exception into text.
    """

    def __init__(
        self, level: str = "error", *, tenant: str | None = None, service: str | None = None
    ) -> None:
        self._min_level = _parse_level(level)
        self._defaults = {"tenant": tenant, "service": service}

    def __call__(
        self, logger: Any, method: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        _ = logger
        level = _parse_level(method)
        if level >= self._min_level:
            try:
                self._report_event(level, event_dict)
            except Exception:  # noqa: BLE001 - an event of whatever shape
                client().losses.add("could not be taken")
        return event_dict

    def _report_event(self, level: int, event: MutableMapping[str, Any]) -> None:
        event_fields = {key: event[key] for key in _EVENT_FIELDS if event.get(key) is not None}
        fields: dict[str, Any] = {**self._defaults, "severity": severity_for_level(level), **event_fields}
        client().report(
            _extract_error(event.get("exc_info")),
            once="code" not in event_fields,
            location=find_caller("structlog."),
            message=event.get("event"),
            details={key: value for key, value in event.items() if key not in _EXCLUDED_KEYS},
            **fields,
        )


def _parse_level(name: str) -> int:
    number = _LEVEL_NUMBERS.get(name.lower()) or logging.getLevelName(name.upper())
    return number if isinstance(number, int) else logging.NOTSET


def _extract_error(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exception() if exc_info else None
