"""Places in JSON: paths, templates and texts."""

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
    """ValueError with the mend where it is none."""
    rest = _PLACEHOLDER.sub("", path)
    if not path.strip() or "{}" in path:
        msg = f"{path!r} names no place; write a path such as incident.title"
        raise ValueError(msg)
    if not path.startswith("=") and ("{" in rest or "}" in rest):
        msg = f"{path!r} has a brace without its other; a template is like {{host}}: {{check.name}}"
        raise ValueError(msg)


def select_first(item: Any, root: Any, paths: Sequence[str]) -> Any:
    """What stands at the first place where anything does; None where nothing does."""
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
    """What stands at a path, None where nothing does. A name may have dots in it itself."""
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
    """What a text holds that is JSON itself, as SNS sends it."""
    if isinstance(value, str) and len(value) <= _MAX_JSON_LENGTH and value.lstrip()[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def to_text(value: Any) -> str:
    """As a person would write it."""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False)
