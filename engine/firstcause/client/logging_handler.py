"""Errors by way of the standard library's logging."""

from __future__ import annotations

import logging

from firstcause.client.api import client
from firstcause.client.exception_info import Place
from firstcause.client.sanitize import words

_OWN = "firstcause.client"
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_FIELDS = frozenset({"code", "tenant", "service", "severity", "tags", "id", "resolved"})


def severity_of(level: int) -> str | None:
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
        self._given = {"tenant": tenant, "service": service, "code": code}

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises, and never reports what the client itself logs."""
        if record.name == _OWN or record.name.startswith(f"{_OWN}."):
            return
        try:
            self._report(record)
        except Exception:  # noqa: BLE001 - a record of whatever shape
            client().losses.add("could not be taken")

    def _report(self, record: logging.LogRecord) -> None:
        given = record.__dict__
        extra = {key: given[key] for key in given.keys() - _STANDARD}
        named = {key: extra.pop(key) for key in extra.keys() & _FIELDS}
        error = record.exc_info[1] if record.exc_info else None
        client().report(
            error,
            once=named.get("code") is None,
            where=Place(record.pathname, record.lineno, record.funcName or "", record.module),
            at=record.created,
            message=_message(record),
            details={"logger": record.name, **_template(record), **extra},
            **{**self._given, "severity": severity_of(record.levelno), **named},
        )


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit, or whose __str__ raises
        return words(record.msg)


def _template(record: logging.LogRecord) -> dict[str, str]:
    return {"template": record.msg} if record.args and isinstance(record.msg, str) else {}
