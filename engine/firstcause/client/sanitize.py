"""Whatever an application gives, as bounded plain data: what JSON holds, and no secret by its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

MASKED = "[masked]"
ELLIPSIS = "..."
MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 8192

_MAX_DETAILS_LENGTH = 32_768
"""Characters of one event's details together."""

_MAX_ITEMS = 500
_MAX_DEPTH = 6
_MAX_INT = 2**63
_SECRET_WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "authorization",
    "token", "cookie", "credential",
)  # fmt: skip


def truncate(text: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    return text if len(text) <= max_length else text[: max_length - len(ELLIPSIS)] + ELLIPSIS


def to_text(value: object, max_length: int = MAX_TEXT_LENGTH) -> str:
    """As text, whatever its __str__ does."""
    if type(value) is str:
        return truncate(value, max_length)
    try:
        return truncate(str(value), max_length)
    except Exception as error:  # noqa: BLE001 - the application's own __str__
        return f"<{type(value).__name__} whose __str__ raises {type(error).__name__}>"


def to_name(value: object) -> str | None:
    """Clean a code, tenant or service; None if nothing is left."""
    return (to_text(value, MAX_NAME_LENGTH).strip() or None) if value is not None else None


def sanitize_details(value: object) -> dict[str, Any]:
    """Copy a mapping, so that later changes do not matter; any other value goes under `value`."""
    if not value:
        return {}
    if not isinstance(value, Mapping):
        value = {"value": value}
    copied = _BoundedCopier().copy_value(value, 0)
    return copied if isinstance(copied, dict) else {"value": copied}


@lru_cache(maxsize=1024)
def _is_secret_key(key: str) -> bool:
    plain = key.lower().replace("_", "").replace("-", "").replace(" ", "")
    return any(part in plain for part in _SECRET_WORDS)


_CONTAINER_TYPES = (dict, list, tuple, set, frozenset, Mapping)


def _holds_value(value: object) -> bool:
    """That a secret is missing is often the cause looked for."""
    return value is not None and type(value) is not bool and value != ""


class _BoundedCopier:
    """One copying. What is too deep, too long or too many is cut, and shows it."""

    def __init__(self) -> None:
        self._remaining_length = _MAX_DETAILS_LENGTH
        self._remaining_items = _MAX_ITEMS

    def copy_value(self, value: object, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._copy_text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -_MAX_INT <= value < _MAX_INT else self._copy_text(value)  # type: ignore[operator]
        if kind is float:
            return value if math.isfinite(value) else str(value)  # type: ignore[arg-type]
        if isinstance(value, _CONTAINER_TYPES):
            return self._copy_container(value, depth)
        return self._copy_text(value)

    def _copy_container(self, value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
        if depth >= _MAX_DEPTH:
            return ELLIPSIS
        try:
            if isinstance(value, Mapping):
                return self._copy_mapping(value, depth)
            return self._copy_items(value, depth)
        except Exception as error:  # noqa: BLE001 - a container of the application's, perhaps just changing
            return f"<{type(value).__name__}: {type(error).__name__}>"

    def _copy_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, item in value.items():
            if not self._consume_item():
                copied[ELLIPSIS] = ELLIPSIS
                break
            key_text = to_text(key, MAX_NAME_LENGTH)
            copied[key_text] = (
                MASKED
                if _is_secret_key(key_text) and _holds_value(item)
                else self.copy_value(item, depth + 1)
            )
        return copied

    def _copy_items(self, value: Iterable[Any], depth: int) -> list[Any]:
        copied: list[Any] = []
        for item in value:
            if not self._consume_item():
                copied.append(ELLIPSIS)
                break
            copied.append(self.copy_value(item, depth + 1))
        return copied

    def _consume_item(self) -> bool:
        self._remaining_items -= 1
        return self._remaining_items >= 0 and self._remaining_length > 0

    def _copy_text(self, value: object) -> str:
        if type(value) is bytes:
            value = value[:MAX_TEXT_LENGTH].decode("utf-8", "replace")
        text = to_text(value, max(len(ELLIPSIS), min(MAX_TEXT_LENGTH, self._remaining_length)))
        self._remaining_length -= len(text)
        return text
