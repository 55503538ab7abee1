"""What pydantic found wrong, in words for the person who wrote the file."""

from __future__ import annotations

import re
from collections import defaultdict
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from firstcause.rulefiles.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from firstcause.rulefiles.yaml_reader import Path

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_SHAPES = {
    r"^[A-Z][A-Z0-9_]*$": "an error code: capitals, digits and _, such as TWILIO_API_FAILURE",
    r"^[a-z0-9][a-z0-9._-]*$": "a rule id: small letters, digits and . _ -, such as redis-url-missing",
    r"^[a-z][a-z0-9_]*$": "a name for a fact: small letters, digits and _, such as alert",
    r"^[a-z][a-z0-9_.-]*$": "a component: small letters, digits and . _ -, such as twilio",
    r"^\$[a-z][a-z0-9_]*$": "a fact that `when` names, such as $alert",
}


_LENGTHS = {
    "string_too_short": "an empty text; say something, or remove the key",
    "string_too_long": "longer than {max_length} characters; shorten it",
    "too_short": "empty; at least {min_length} is needed",
    "too_long": "{actual_length} are too many; at most {max_length}",
}


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a word is near enough, else nothing."""
    by_fold = {other.casefold(): other for other in words}
    found = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"; did you mean '{by_fold[found[0]]}'?" if found else ""


def explain(errors: Sequence[ErrorDetails], data: Any, top: Path) -> Iterator[tuple[Path, bool, str]]:
    """Each mistake once: its path in the file, whether it is the key that is wrong, and the text.

    data: what was validated; top: where in the file it stands.
    """
    groups: dict[Path, list[ErrorDetails]] = defaultdict(list)
    for error in errors:
        groups[_written(data, error["loc"])].append(error)
    for path, group in groups.items():
        unknown = [str(error["loc"][-1]) for error in errors if error["type"] == "extra_forbidden"]
        yield from _group(group, top, path, data, unknown)


def _group(
    group: list[ErrorDetails], top: Path, path: Path, data: Any, unknown: list[str]
) -> Iterator[tuple[Path, bool, str]]:
    whole = (*top, *path)
    expected = [words for error in group if (words := _expects(error))]
    if len(expected) == len(group):
        yield whole, False, _wrong_kind(expected, _at(data, path))
        return
    for error in group:
        kind, name = error["type"], str(error["loc"][-1]) if error["loc"] else ""
        if kind == "missing":
            if not any(f"'{name}'" in nearest(key, [name]) for key in unknown):
                yield whole, False, f"'{name}' is missing; add `{name}: ...`"
        elif kind == "extra_forbidden":
            keys = known_keys(whole[:-1])
            mend = nearest(name, keys) or f"; the keys here are {', '.join(keys)}"
            yield whole, True, f"unknown key '{name}'{mend}"
        elif not (kind == "too_short" and _at(data, path)):
            yield whole, error["loc"][-1:] == ("[key]",), _other(error)


def _other(error: ErrorDetails) -> str:
    context: Mapping[str, Any] = error.get("ctx") or {}
    match error["type"]:
        case "enum":
            words = re.findall(r"'([^']*)'", str(context["expected"]))
            given = str(error["input"])
            return f"'{given}' is not one of {', '.join(words)}{nearest(given, words)}"
        case "string_pattern_mismatch":
            shape = _SHAPES.get(context["pattern"], f"of the form {context['pattern']}")
            return f"'{error['input']}' is not {shape}"
        case "string_too_short" | "string_too_long" | "too_short" | "too_long":
            return _LENGTHS[error["type"]].format(**context)
    return error["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _expects(error: ErrorDetails) -> str:
    words = _EXPECTED.get(error["type"], "")
    if not words and error["type"] == "enum" and not isinstance(error["input"], str):
        words = "one of " + ", ".join(re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected"))))
    return words


def _wrong_kind(expected: list[str], value: Any) -> str:
    wanted = list(dict.fromkeys(expected))
    if "a number" in wanted and "a whole number" in wanted:
        wanted.remove("a whole number")
    text = f"expected {' or '.join(wanted)}, got {_describe(value)}"
    if wanted == ["text"] and isinstance(value, bool | int | float):
        return f"{text}; put it in quotes"
    if wanted == ["a list"] and isinstance(value, str):
        return f"{text}; put it in brackets: [...]"
    if wanted == ["true or false"] and str(value).casefold() in {"yes", "no", "on", "off"}:
        return f"{text}; write {'true' if str(value).casefold() in {'yes', 'on'} else 'false'}"
    return text


def _describe(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text '{value if len(value) <= 40 else value[:40] + '...'}'"  # noqa: PLR2004
        case list():
            return "a list"
    return "a mapping"


def _written(data: Any, loc: tuple[int | str, ...]) -> Path:
    """The part of pydantic's loc that stands in the data, without the names of union members."""
    path: Path = ()
    for step in loc:
        inside = (
            step in data if isinstance(data, dict) else isinstance(data, list) and step in range(len(data))
        )
        if inside:
            data = data[step]
            path = (*path, step)
    return path


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


@cache
def _schema() -> dict[str, Any]:
    return json_schema()


def known_keys(path: Path) -> list[str]:
    """The keys that a rule file may have in the mapping at the path."""
    schemas = _plain([_schema()])
    for step in path:
        schemas = _plain([child for one in schemas for child in _children(one, step)])
    return [key for one in schemas for key in one.get("properties", {})]


def _children(schema: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(step, int):
        yield from (schema[key] for key in ("items",) if isinstance(schema.get(key), dict))
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]
    else:
        yield from schema.get("patternProperties", {}).values()


def _plain(schemas: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The schemas with references followed and alternatives side by side."""
    plain: list[dict[str, Any]] = []
    for schema in schemas:
        parts = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
        if "$ref" in schema:
            parts.append(_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
        plain += [schema, *_plain(parts)]
    return plain
