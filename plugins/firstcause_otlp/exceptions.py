"""The exception that a log record brings in its attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause_otlp.decoding import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_NESTED_KEYS = ("err", "error", "exception")
"""Where loggers of Node, pino first, have an exception as a map with type or name, message and stack."""


def has_exception(attributes: Mapping[str, Any]) -> bool:
    """Whether any of the three attributes of an exception has a value."""
    return any(attributes.get(f"exception.{name}") for name in ("type", "message", "stacktrace"))


def name_exception(attributes: dict[str, Any]) -> dict[str, Any]:
    """Give an exception that is a map the names of OpenTelemetry's conventions; what else it has is kept."""
    if has_exception(attributes):
        return attributes
    for key in _NESTED_KEYS:
        error = attributes.get(key)
        if isinstance(error, dict) and isinstance(error.get("stack"), str) and error["stack"].strip():
            class_key = "type" if isinstance(error.get("type"), str) else "name"
            names = {class_key: "type", "message": "message", "stack": "stacktrace"}
            others = {name: value for name, value in error.items() if name not in names}
            return {
                **{name: value for name, value in attributes.items() if name != key},
                **({key: others} if others else {}),
                **{f"exception.{name}": error[own] for own, name in names.items() if error.get(own)},
            }
    return attributes


def read_exception_text(attributes: Mapping[str, Any]) -> str | None:
    """Read the class and the message, as in "KeyError: 'id'"; None if there is neither."""
    parts = (_read_type(attributes), to_text(attributes.get("exception.message")))
    return ": ".join(filter(None, parts)) or None


def is_whole_exception(attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes are more than a message.

    A message alone is often an argument of the log call: winston's transport sends "nightly" as the exception
    of `error("job %s failed", "nightly")`. The body says what failed.
    """
    return bool(_read_type(attributes) or attributes.get("exception.stacktrace"))


def _read_type(attributes: Mapping[str, Any]) -> str | None:
    """Read the name of a class. A bare number is a field `code` of the log call, not a class."""
    name = to_text(attributes.get("exception.type"))
    return None if name is None or name.isdecimal() else name
