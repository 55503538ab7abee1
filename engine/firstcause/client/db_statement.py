"""The query that an exception of a database's library names. None of those libraries is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstcause.client.sanitize import truncate

_MAX_QUERY_LENGTH = 4096
_MAX_DEPTH = 4
_REDACTED = "?"


def extract_query(error: BaseException) -> str | None:
    """SQLAlchemy's statement, without its parameters; the command that pymongo names, without its values."""
    statement = getattr(error, "statement", None)
    if isinstance(statement, str) and statement:
        return truncate(statement, _MAX_QUERY_LENGTH)
    if type(error).__module__.partition(".")[0] != "pymongo":
        return None
    command = _find_command(getattr(error, "details", None))
    return truncate(str(command), _MAX_QUERY_LENGTH) if command else None


def _find_command(details: object) -> Any:
    if not isinstance(details, Mapping):
        return None
    write_errors = details.get("writeErrors")
    if isinstance(write_errors, list) and write_errors:
        return _find_command(write_errors[0])
    for name in ("command", "op", "keyPattern"):
        if isinstance(details.get(name), Mapping):
            return _redact_values(details[name], 0, keep_values=name == "keyPattern")
    return None


def _redact_values(value: object, depth: int, *, keep_values: bool = False) -> Any:
    """The names of a document; values only at the top of what holds none of the application's."""
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        return {
            str(key): item if keep_values else _redact_values(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list) and depth < _MAX_DEPTH:
        return [_redact_values(item, depth + 1) for item in value[:5]]
    return _REDACTED
