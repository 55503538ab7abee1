"""How severe a log record is, by its number, its words, or the exception that it brings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from firstcause import Severity
from firstcause_otlp.exceptions import has_exception

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_NUMBER, _MAX_DIGITS = 24, 4
_ERROR_NUMBER = 17
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
"""OpenTelemetry's six levels, four numbers each, from 1."""

_FIRST_NUMBERS = {Severity.INFO: 9, Severity.WARNING: 13, Severity.CRITICAL: 21}
_LEVEL_KEYS = ("level", "severity", "levelname", "log.level", "lvl")
"""Where a structured body, or an attribute, has its level."""


def find_severity_number(
    record: Mapping[str, Any], fields: Mapping[str, Any], attributes: Mapping[str, Any]
) -> int:
    """Find the number, 0 if nothing says how severe the record is. fields: of a structured body.

    Of what exporters of files leave empty, the level within the body counts, and an exception is an error.
    """
    raw = record.get("severityNumber")
    if isinstance(raw, str | int | float) and str(raw).strip().isdecimal() and len(str(raw)) <= _MAX_DIGITS:
        number = int(raw)
        if 0 < number <= _MAX_NUMBER:
            return number
    words = [raw, record.get("severityText")]
    for source in (fields, attributes):
        words += [source.get(key) for key in _LEVEL_KEYS]
    numbers = (_parse_word(word) for word in words if isinstance(word, str))
    return next(filter(None, numbers), _ERROR_NUMBER if has_exception(attributes) else 0)


def _parse_word(word: str) -> int:
    """Map `Error`, `FATAL`, `SEVERITY_NUMBER_ERROR2` or a logger's own word; 0 for any other."""
    name = word.strip().lower().removeprefix("severity_number_")
    base = name[:-1] if name[-1:] in {"2", "3", "4"} and name[:-1] in _LEVELS else name
    if base in _LEVELS:
        return _LEVELS.index(base) * 4 + 1 + (int(name[-1]) - 1 if base != name else 0)
    with suppress(ValueError):
        severity = Severity(base)
        return _FIRST_NUMBERS[severity] if Severity.from_word(base) is severity else _ERROR_NUMBER
    return 0


def name_level(number: int) -> str | None:
    return _LEVELS[(number - 1) // 4] if number else None
