"""Places in JSON: paths, templates and texts."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLE = re.compile(r"\{([^{}]*)\}")
_ROOT = "^."
_LONGEST = 100_000


def check(place: str) -> None:
    """ValueError with the mend where it is none."""
    rest = _HOLE.sub("", place)
    if not place.strip() or "{}" in place:
        msg = f"{place!r} names no place; write a path such as incident.title"
        raise ValueError(msg)
    if not place.startswith("=") and ("{" in rest or "}" in rest):
        msg = f"{place!r} has a brace without its other; a template is like {{host}}: {{check.name}}"
        raise ValueError(msg)


def first(item: Any, root: Any, places: Sequence[str]) -> Any:
    """What stands at the first place where anything does; None where nothing does."""
    for place in places:
        found = _at_place(item, root, place)
        if found is not None and found != "":
            return found
    return None


def _at_place(item: Any, root: Any, place: str) -> Any:
    if place.startswith("="):
        return place[1:].strip()
    if "{" not in place:
        return _from(item, root, place)
    holes = [_from(item, root, hole) for hole in _HOLE.findall(place)]
    if all(each is None for each in holes):
        return None
    told = iter("" if each is None else text(each) for each in holes)
    return _HOLE.sub(lambda _match: next(told), place).strip()


def _from(item: Any, root: Any, path: str) -> Any:
    plain = path.strip()
    return at(root, plain.removeprefix(_ROOT)) if plain.startswith(_ROOT) else at(item, plain)


def at(value: Any, path: str) -> Any:
    """What stands at a path, None where nothing does. A name may have dots in it itself."""
    if not path:
        return value
    value = _opened(value)
    steps = path.split(".")
    if isinstance(value, list):
        number = steps[0]
        fits = number.isascii() and number.isdigit() and int(number) < len(value)
        return at(value[int(number)], ".".join(steps[1:])) if fits else None
    if not isinstance(value, dict):
        return None
    for length in range(len(steps), 0, -1):
        name = ".".join(steps[:length])
        if name in value:
            found = at(value[name], ".".join(steps[length:]))
            if found is not None:
                return found
    return None


def _opened(value: Any) -> Any:
    """What a text holds that is JSON itself, as SNS sends it."""
    if isinstance(value, str) and len(value) <= _LONGEST and value.lstrip()[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def text(value: Any) -> str:
    """As a person would write it."""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False)
