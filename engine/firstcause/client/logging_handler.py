"""Errors by way of the standard library's logging."""

from __future__ import annotations

import logging

from firstcause.client.api import client
from firstcause.client.exception_info import CodeLocation
from firstcause.client.sanitize import to_text

_CLIENT_LOGGER = "firstcause.client"
_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_EVENT_FIELDS = frozenset({"code", "tenant", "service", "severity", "tags", "id", "resolved"})


def severity_for_level(level: int) -> str | None:
    """Of a logging level; of an ERROR, which is what most are called, the catalog decides."""
    if level >= logging.CRITICAL:
        return "CRITICAL"
    if level >= logging.ERROR:
        return None
    return "WARNING" if level >= logging.WARNING else "INFO"


class Handler(logging.Handler):
    """Reports records. level: ERROR and above, as warnings are mostly none; WARNING takes them too.

    tenant, service, code: of records that name none by `extra={"tenant": ..., "code": ...}`. What else is
    in `extra` goes under details.
    """

    def __init__(
        self,
        level: int | str = logging.ERROR,
        *,
        tenant: str | None = None,
        service: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(level)
        self._defaults = {"tenant": tenant, "service": service, "code": code}

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises, and never reports what the client itself logs."""
        if record.name == _CLIENT_LOGGER or record.name.startswith(f"{_CLIENT_LOGGER}."):
            return
        try:
            self._report_record(record)
        except Exception:  # noqa: BLE001 - a record of whatever shape
            client().losses.add("could not be taken")

    def _report_record(self, record: logging.LogRecord) -> None:
        attributes = record.__dict__
        extra = {key: attributes[key] for key in attributes.keys() - _STANDARD_ATTRIBUTES}
        fields = {key: extra.pop(key) for key in extra.keys() & _EVENT_FIELDS}
        error = record.exc_info[1] if record.exc_info else None
        client().report(
            error,
            once=fields.get("code") is None,
            location=CodeLocation(record.pathname, record.lineno, record.funcName or "", record.module),
            timestamp=record.created,
            message=_render_message(record),
            details={"logger": record.name, **_extract_template(record), **extra},
            **{**self._defaults, "severity": severity_for_level(record.levelno), **fields},
        )


def _render_message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit, or whose __str__ raises
        return to_text(record.msg)


def _extract_template(record: logging.LogRecord) -> dict[str, str]:
    return {"template": record.msg} if record.args and isinstance(record.msg, str) else {}
