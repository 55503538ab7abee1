"""Translates pydantic's errors into messages for the author of a rule file."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from firstcause.core.text.spelling import suggest_nearest
from firstcause.inference.language import LIMIT_TEXT
from firstcause.rulefiles.schema import build_json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from firstcause.rulefiles.yaml_reader import YamlPath

_EXPECTED_TYPES = {
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
_PATTERN_DESCRIPTIONS = {
    r"^[A-Z][A-Z0-9_]*$": "an error code: capitals, digits and _, such as TWILIO_API_FAILURE",
    r"^[a-z0-9][a-z0-9._-]*$": "a rule id: small letters, digits and . _ -, such as redis-url-missing",
    r"^[a-z][a-z0-9_]*$": "a name for a fact: small letters, digits and _, such as alert",
    r"^[a-z][a-z0-9_.-]*$": "a component: small letters, digits and . _ -, such as twilio",
    r"^\$[a-z][a-z0-9_]*$": "a fact that `when` names, such as $alert",
    LIMIT_TEXT: (
        "a number, a duration such as 5m, or a field of an earlier fact such as $a.count; "
        "to calculate, write {of: $a.count, times: 2}"
    ),
}


_LENGTH_MESSAGES = {
    "string_too_short": "the text is empty; write something, or remove the key",
    "string_too_long": "the text is longer than {max_length} characters; shorten it",
    "too_short": "the list is empty; add at least {min_length}",
    "too_long": "{actual_length} are too many; keep at most {max_length}",
}


def explain_errors(
    errors: Sequence[ErrorDetails], data: Any, top: YamlPath
) -> Iterator[tuple[YamlPath, bool, str]]:
    """Explain each mistake once: its path in the file, whether the key itself is wrong, and the message.

    data: the data that was validated. top: the path of the data in the file.
    """
    groups: dict[YamlPath, list[ErrorDetails]] = defaultdict(list)
    for error in errors:
        groups[_locate_in_data(data, error["loc"])].append(error)
    for path, group in groups.items():
        unknown_keys = [str(error["loc"][-1]) for error in errors if error["type"] == "extra_forbidden"]
        yield from _explain_group(group, top, path, data, unknown_keys)


def _explain_group(
    group: list[ErrorDetails], top: YamlPath, path: YamlPath, data: Any, unknown_keys: list[str]
) -> Iterator[tuple[YamlPath, bool, str]]:
    full_path = (*top, *path)
    expected = [words for error in group if (words := _describe_expected(error))]
    if len(expected) == len(group):
        yield full_path, False, _format_wrong_type(expected, _get_value(data, path))
        return
    for error in group:
        kind, name = error["type"], str(error["loc"][-1]) if error["loc"] else ""
        if kind == "missing":
            if not any(f"'{name}'" in suggest_nearest(key, [name]) for key in unknown_keys):
                yield full_path, False, f"'{name}' is missing; add `{name}: ...`"
        elif kind == "extra_forbidden":
            keys = list_known_keys(full_path[:-1])
            hint = _suggest_form(name, full_path) or suggest_nearest(name, keys)
            hint = hint or f"; the keys here are {', '.join(keys)}"
            yield full_path, True, f"unknown key '{name}'{hint}"
        elif not (kind == "too_short" and _get_value(data, path)):
            yield full_path, error["loc"][-1:] == ("[key]",), _format_error(error)


_NESTED_FIELDS = ("tags", "details", "labels")


def _suggest_form(name: str, path: YamlPath) -> str:
    """Suggest what to write where a mapping has another form in rules than the author expects."""
    field = path[-2] if len(path) > 1 else ""
    if field in _NESTED_FIELDS:
        return f"; write {field}.{name}: ..."
    if "any" in path[:-1]:
        return "; `any` stands within a fact's pattern: name: {any: [{kind: ..., ...}, {kind: ..., ...}]}"
    return "; write not" if name in {"ne", "neq", "not_equal"} else ""


def _format_error(error: ErrorDetails) -> str:
    context: Mapping[str, Any] = error.get("ctx") or {}
    match error["type"]:
        case "enum":
            words = re.findall(r"'([^']*)'", str(context["expected"]))
            value = str(error["input"])
            return f"'{value}' is not one of {', '.join(words)}{suggest_nearest(value, words)}"
        case "string_pattern_mismatch":
            shape = _PATTERN_DESCRIPTIONS.get(context["pattern"], f"of the form {context['pattern']}")
            return f"'{error['input']}' is not {shape}"
        case "string_too_short" | "string_too_long" | "too_short" | "too_long":
            if error["type"] == "too_long" and context.get("actual_length") is None:
                context = {**context, "actual_length": len(error["input"])}
            return _LENGTH_MESSAGES[error["type"]].format(**context)
    return error["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _describe_expected(error: ErrorDetails) -> str:
    words = _EXPECTED_TYPES.get(error["type"], "")
    if not words and error["type"] == "enum" and not isinstance(error["input"], str):
        words = "one of " + ", ".join(re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected"))))
    return words


def _format_wrong_type(expected: list[str], value: Any) -> str:
    expected_types = list(dict.fromkeys(expected))
    if "a number" in expected_types and "a whole number" in expected_types:
        expected_types.remove("a whole number")
    text = f"expected {' or '.join(expected_types)}, got {_describe_value(value)}"
    if expected_types == ["text"] and isinstance(value, bool | int | float):
        return f"{text}; put it in quotes"
    if expected_types == ["a list"] and isinstance(value, str):
        return f"{text}; put it in brackets: [...]"
    if expected_types == ["true or false"] and str(value).casefold() in {"yes", "no", "on", "off"}:
        return f"{text}; write {'true' if str(value).casefold() in {'yes', 'on'} else 'false'}"
    return text


def _describe_value(value: Any) -> str:
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


def _locate_in_data(data: Any, loc: tuple[int | str, ...]) -> YamlPath:
    """Return the part of pydantic's loc that is a path in the data, without the names of union members."""
    path: YamlPath = ()
    for step in loc:
        inside = (
            step in data if isinstance(data, dict) else isinstance(data, list) and step in range(len(data))
        )
        if inside:
            data = data[step]
            path = (*path, step)
    return path


def _get_value(data: Any, path: YamlPath) -> Any:
    for step in path:
        data = data[step]
    return data


@cache
def _load_schema() -> dict[str, Any]:
    return build_json_schema()


def list_known_keys(path: YamlPath) -> list[str]:
    """List the keys that a rule file may have in the mapping at the path."""
    schemas = _flatten_schemas([_load_schema()])
    for step in path:
        schemas = _flatten_schemas([child for schema in schemas for child in _iter_children(schema, step)])
    return [key for schema in schemas for key in schema.get("properties", {})]


def _iter_children(schema: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(step, int):
        yield from (schema[key] for key in ("items",) if isinstance(schema.get(key), dict))
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]
    else:
        yield from schema.get("patternProperties", {}).values()


def _flatten_schemas(schemas: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the schemas with references followed and alternatives side by side."""
    flattened: list[dict[str, Any]] = []
    for schema in schemas:
        parts = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
        if "$ref" in schema:
            parts.append(_load_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
        flattened += [schema, *_flatten_schemas(parts)]
    return flattened
