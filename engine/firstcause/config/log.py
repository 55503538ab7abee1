"""`[log]` of the configuration: how the daemon writes its log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from firstcause.core.model import Frozen


class LogFormat(StrEnum):
    """text: a line for people. json: an object a line, for programs that collect logs."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Log(Frozen):
    """The log on standard error. format: of a line. level: below it nothing is written."""

    format: Annotated[LogFormat, BeforeValidator(_lower)] = LogFormat.TEXT
    level: Annotated[LogLevel, BeforeValidator(_lower)] = LogLevel.INFO
