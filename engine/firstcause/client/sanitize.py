"""Whatever an application gives, as bounded plain data: what JSON holds, and no secret by its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

MASKED = "[masked]"
CUT = "..."
LONGEST_NAME = 200
LONGEST_TEXT = 8192

_ROOM = 32_768
"""Characters of one event's details together."""

_MOST_ITEMS = 500
_DEEPEST = 6
_LARGEST_INT = 2**63
_SECRET = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "token", "cookie", "credential",
)  # fmt: skip


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


def words(value: object, longest: int = LONGEST_TEXT) -> str:
    """As text, whatever its __str__ does."""
    if type(value) is str:
        return cut(value, longest)
    try:
        return cut(str(value), longest)
    except Exception as error:  # noqa: BLE001 - the application's own __str__
        return f"<{type(value).__name__} whose __str__ raises {type(error).__name__}>"


def name(value: object) -> str | None:
    """A code, a tenant, a service: None where it says nothing."""
    return (words(value, LONGEST_NAME).strip() or None) if value is not None else None


def details(given: object) -> dict[str, Any]:
    """A copy of a mapping that nobody can change any more; something else is under `value`."""
    if not given:
        return {}
    if not isinstance(given, Mapping):
        given = {"value": given}
    found = _Copy().value(given, 0)
    return found if isinstance(found, dict) else {"value": found}


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    plain = key.lower().replace("_", "").replace("-", "").replace(" ", "")
    return any(part in plain for part in _SECRET)


_CONTAINERS = (dict, list, tuple, set, frozenset, Mapping)


def _hides(value: object) -> bool:
    """That a secret is missing is often the cause looked for."""
    return value is not None and type(value) is not bool and value != ""


class _Copy:
    """One copying. What is too deep, too long or too many is cut, and shows it."""

    def __init__(self) -> None:
        self._room = _ROOM
        self._items = _MOST_ITEMS

    def value(self, value: object, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -_LARGEST_INT <= value < _LARGEST_INT else self._text(value)  # type: ignore[operator]
        if kind is float:
            return value if math.isfinite(value) else str(value)  # type: ignore[arg-type]
        if isinstance(value, _CONTAINERS):
            return self._several(value, depth)
        return self._text(value)

    def _several(self, value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
        if depth >= _DEEPEST:
            return CUT
        try:
            if isinstance(value, Mapping):
                return self._mapping(value, depth)
            return self._list(value, depth)
        except Exception as error:  # noqa: BLE001 - a container of the application's, perhaps just changing
            return f"<{type(value).__name__}: {type(error).__name__}>"

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in value.items():
            if not self._may_go_on():
                found[CUT] = CUT
                break
            plain = words(key, LONGEST_NAME)
            found[plain] = MASKED if _is_secret(plain) and _hides(item) else self.value(item, depth + 1)
        return found

    def _list(self, value: Iterable[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for item in value:
            if not self._may_go_on():
                found.append(CUT)
                break
            found.append(self.value(item, depth + 1))
        return found

    def _may_go_on(self) -> bool:
        self._items -= 1
        return self._items >= 0 and self._room > 0

    def _text(self, value: object) -> str:
        if type(value) is bytes:
            value = value[:LONGEST_TEXT].decode("utf-8", "replace")
        text = words(value, max(len(CUT), min(LONGEST_TEXT, self._room)))
        self._room -= len(text)
        return text
