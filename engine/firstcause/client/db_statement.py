"""The query that an exception of a database's library names. None of those libraries is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstcause.client.sanitize import cut

_LONGEST = 4096
_DEEPEST = 4
_HIDDEN = "?"


def query_of(error: BaseException) -> str | None:
    """SQLAlchemy's statement, without its parameters; the command that pymongo names, without its values."""
    statement = getattr(error, "statement", None)
    if isinstance(statement, str) and statement:
        return cut(statement, _LONGEST)
    if type(error).__module__.partition(".")[0] != "pymongo":
        return None
    found = _command(getattr(error, "details", None))
    return cut(str(found), _LONGEST) if found else None


def _command(details: object) -> Any:
    if not isinstance(details, Mapping):
        return None
    failed = details.get("writeErrors")
    if isinstance(failed, list) and failed:
        return _command(failed[0])
    for name in ("command", "op", "keyPattern"):
        if isinstance(details.get(name), Mapping):
            return _shape(details[name], 0, whole=name == "keyPattern")
    return None


def _shape(value: object, depth: int, *, whole: bool = False) -> Any:
    """The names of a document; values only at the top of what holds none of the application's."""
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {str(key): item if whole else _shape(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list) and depth < _DEEPEST:
        return [_shape(item, depth + 1) for item in value[:5]]
    return _HIDDEN
