"""Values in JSON, by path, template or fixed text."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ROOT_PREFIX = "^."
_MAX_JSON_LENGTH = 100_000


def check_path(path: str) -> None:
    """Check a path, template or fixed text. ValueError: what is wrong with it, and how to write it."""
    rest = _PLACEHOLDER.sub("", path)
    if not path.strip() or "{}" in path:
        msg = f"{path!r} is not a path; write for example incident.title"
        raise ValueError(msg)
    if not path.startswith("=") and ("{" in rest or "}" in rest):
        msg = f"{path!r} has an unbalanced brace; write a template as {{host}}: {{check.name}}"
        raise ValueError(msg)


def select_first(item: Any, root: Any, paths: Sequence[str]) -> Any:
    """Return the value at the first of the paths that leads to one; None if none does."""
    for path in paths:
        value = _evaluate_path(item, root, path)
        if value is not None and value != "":
            return value
    return None


def _evaluate_path(item: Any, root: Any, path: str) -> Any:
    if path.startswith("="):
        return path[1:].strip()
    if "{" not in path:
        return _resolve_path(item, root, path)
    values = [_resolve_path(item, root, placeholder) for placeholder in _PLACEHOLDER.findall(path)]
    if all(value is None for value in values):
        return None
    filled = iter("" if value is None else to_text(value) for value in values)
    return _PLACEHOLDER.sub(lambda _match: next(filled), path).strip()


def _resolve_path(item: Any, root: Any, path: str) -> Any:
    plain = path.strip()
    return (
        value_at(root, plain.removeprefix(_ROOT_PREFIX))
        if plain.startswith(_ROOT_PREFIX)
        else value_at(item, plain)
    )


def value_at(value: Any, path: str) -> Any:
    """Return the value at a path, None if there is none. A key may contain dots itself."""
    if not path:
        return value
    value = _decode_json_text(value)
    steps = path.split(".")
    if isinstance(value, list):
        index = steps[0]
        fits = index.isascii() and index.isdigit() and int(index) < len(value)
        return value_at(value[int(index)], ".".join(steps[1:])) if fits else None
    if not isinstance(value, dict):
        return None
    for length in range(len(steps), 0, -1):
        name = ".".join(steps[:length])
        if name in value:
            result = value_at(value[name], ".".join(steps[length:]))
            if result is not None:
                return result
    return None


def _decode_json_text(value: Any) -> Any:
    """Decode a text that is JSON itself, as SNS sends it; return any other value as it is."""
    if isinstance(value, str) and len(value) <= _MAX_JSON_LENGTH and value.lstrip()[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def to_text(value: Any) -> str:
    """Format a value for a person: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False)
