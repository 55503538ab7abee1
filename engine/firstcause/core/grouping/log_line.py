"""Finds the message in a log line: behind time, level, thread and logger, or in JSON and key=value pairs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_JSON_LENGTH = 65_536
_MAX_VALUE_LENGTH = 500
_MESSAGE_KEYS = (
    "msg", "message", "log", "short_message", "m", "renderedmessage", "text", "textpayload", "event", "body",
    "mt", "messagetemplate", "title", "summary", "description",
)  # fmt: skip
_ERROR_KEYS = (
    "error", "err", "exception", "exc", "thrown", "error_message", "errormessage", "reason", "cause",
)  # fmt: skip
_TYPE_KEYS = ("type", "kind", "name", "class")
_NUMBER_KEYS = ("status", "status_code", "statuscode", "code", "error_code", "errno", "signal")
"""Keys whose values tell two errors with the same words apart. All keys are in small letters."""

_MAX_NESTING = 4
_PAIR = re.compile(
    r"(?P<key>[A-Za-z_][\w.-]{0,60})=(?:\"(?P<quoted>(?:[^\"\\]|\\.){0,1000})\"?|(?P<plain>[^\s\"]*))"
)
_BROKEN_JSON_PAIR = re.compile(
    r"\"(?P<key>[A-Za-z_][\w.-]{0,60})\"\s?:\s?(?:\"(?P<quoted>(?:[^\"\\]|\\.){0,1000})|(?P<plain>-?[\w.]+))"
)

_LEVEL = (
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|SEVERE|CRIT(?:ICAL)?|FATAL|ALERT|EMERG(?:ENCY)?"
    r"|PANIC)"
)
_TIME = re.compile(
    r"\[?(?:\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    r"|\d{1,2}-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?: [A-Z][\w/+-]{1,40})?"
    r"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4})?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\]?(?=[\s|,:-])[\s|,:-]*"
)
_LEVEL_WORD = re.compile(
    rf"(?:(?i:[\[(<|]{{1,2}}{_LEVEL}[\])>|]{{1,2}}:?)|(?:[a-z]+\.)?{_LEVEL}(?=:|\s+-|\s+\[|\s*\||\s+\d{{4}}-|\s+\d\d:)"
    rf"|[EWF],(?= \[))[\s:|-]*"
)
_LEVEL_AFTER_TIME = re.compile(rf"(?i:(?:[a-z]+\.)?\[?{_LEVEL}\]?)(?=[\s:|,\]-])[\s:|,-]*")
_CONTEXT = re.compile(
    r"(?:\[[^\[\]]{0,100}\]|\(\w[\w.#-]{0,60}\)|\d{1,10}(?:#\d+)?(?=\s+---|:|\s*\|)|---|std(?:out"
    r"|err) [FP](?= )"
    r"|(?:[\w.-]{1,60} )?[\w.-]{1,60}\[[\w.]{1,20}\]:|#\d{1,10}\]|[\w.]{1,100}:[\w.<>]{1,100}:\d+(?= - )"
    r"|[\w$./-]{1,150}\.(?:go|py|rs|rb|js|ts|java|php|cc|cpp|c):\d+(?=[:\s\]])|-- :"
    r"|[\w$/.-]{1,150}(?=\s+[-:|] )|[a-z]\w{0,50}(?:\.\w{1,50}){1,10}(?=:))[\s:|-]*"
)
_PYTHON_BASIC = re.compile(rf"{_LEVEL}:[\w.]{{1,100}}:(?=\S)")
_MAY_BE_PREFIX = re.compile(r"[^A-Za-z]|[A-Z][A-Z\d,]|[A-Z][a-z]{2} |[a-z]+\.[A-Z]")
_KLOG = re.compile(r"[EWF]\d{4} \d\d:\d\d:\d\d\.\d{1,9}\s+\d+ [\w.-]+:\d+\] ")
_MAX_CONTEXT_WORDS = 6
_TRAILING_JSON = re.compile(r"[\s|]\{\"")


def find_words(line: str) -> str | None:
    """Return the message of a line of JSON or of key=value pairs; None for any other line.

    What tells two errors with the same message apart is kept: the error, a status.
    """
    if "{" not in line and "=" not in line:
        return None
    start = line if line.startswith("{") else strip_prefix(line)
    if start.startswith("{"):
        return _join_words(_parse_json(start)) or None
    pair = _PAIR.match(start)
    if pair is None:
        return None
    fields = _read_pairs(_PAIR, start)
    is_log = any(key in fields for key in (*_MESSAGE_KEYS[:3], *_ERROR_KEYS[:2]))
    return (_join_words(fields) or None) if is_log else None


def strip_prefix(line: str) -> str:
    """Strip time, level, thread and logger from the beginning of a log line."""
    if not _MAY_BE_PREFIX.match(line):
        return line
    for pattern in (_KLOG, _PYTHON_BASIC):
        if match := pattern.match(line):
            return line[match.end() :]
    rest, is_log = line, False
    for _ in range(2):
        if match := _LEVEL_WORD.match(rest):
            rest, is_log = rest[match.end() :], True
        if match := _TIME.match(rest):
            rest, is_log = rest[match.end() :], True
    if not is_log:
        return line
    for _ in range(_MAX_CONTEXT_WORDS):
        match = _LEVEL_AFTER_TIME.match(rest) or _CONTEXT.match(rest)
        if match is None or not rest[match.end() :].strip():
            break
        rest = rest[match.end() :]
    return rest.strip() or line


def strip_trailing_json(line: str) -> str:
    """Strip the fields that loggers append to a message as JSON."""
    match = _TRAILING_JSON.search(line) if '{"' in line else None
    return line[: match.start()].rstrip(" \t|") if match and match.start() > 0 else line


def _parse_json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text[:_MAX_JSON_LENGTH])
    except (ValueError, RecursionError):
        return _read_pairs(_BROKEN_JSON_PAIR, text[:_MAX_JSON_LENGTH])
    return _lower_keys(value) if isinstance(value, dict) else {}


def _lower_keys(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower().lstrip("@_"): value for key, value in fields.items()}


def _read_pairs(pattern: re.Pattern[str], text: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for match in pattern.finditer(text):
        quoted = match["quoted"]
        value = match["plain"] if quoted is None else quoted.replace('\\"', '"').replace("\\n", "\n")
        pairs.setdefault(match["key"].lower(), value)
    return pairs


def _join_words(fields: Mapping[str, Any], depth: int = 0) -> str:
    message = next((text for key in _MESSAGE_KEYS if (text := _read_text(fields.get(key)))), "")
    error = next((text for key in _ERROR_KEYS if (text := _read_text(fields.get(key)))), "")
    if error in message:
        error = ""
    elif message in error:
        message = ""
    words = ": ".join(filter(None, (message, error)))
    if words:
        numbers = [f"{key}={fields[key]}" for key in _NUMBER_KEYS if isinstance(fields.get(key), int | str)]
        return " ".join([words, *(number for number in numbers if " " not in number)])
    nested = [_lower_keys(value) for value in fields.values() if isinstance(value, dict)]
    if depth < _MAX_NESTING and (
        words := next(filter(None, (_join_words(n, depth + 1) for n in nested)), "")
    ):
        return words
    scalars = {key: text for key, value in fields.items() if (text := _read_text(value, nested=False))}
    return " ".join(f"{key}={_quote_value(value)}" for key, value in scalars.items())


def _quote_value(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _read_text(value: object, *, nested: bool = True) -> str:
    """Read a text, a number, or an object such as {"type": "ValueError", "message": "..."}."""
    if isinstance(value, dict) and nested:
        fields = _lower_keys(value)
        message, kind = (
            next((text for key in keys if (text := _read_text(fields.get(key), nested=False))), "")
            for keys in (_MESSAGE_KEYS, _TYPE_KEYS)
        )
        return ": ".join(filter(None, (kind if kind not in message else "", message)))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    lines = str(value).strip().split("\n")
    # Python's loggers write the whole stack there.
    line = lines[-1] if lines[0].startswith("Traceback ") else lines[0]
    return line.strip()[:_MAX_VALUE_LENGTH]
